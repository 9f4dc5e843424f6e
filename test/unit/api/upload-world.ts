/** Uploads in parts against the API under test, and a store that shows and holds what it does. */
import { PassThrough, type Readable } from 'node:stream';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import type { ObjectInfo, ObjectSlice } from '../../../src/storage/object-store';
import { send, startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { multipart, multipartType, type Part } from './multipart';

/** Unix seconds of the API's clock when it starts. */
export const startedAt = 1_767_225_600;

export class WatchedStore extends MemoryObjectStore {
  /** Gets `begun` and `failed` of each streamed write. */
  readonly writes = new PassThrough({ objectMode: true });
  beforeConcatenate: () => Promise<void> = nothing;
  afterConcatenate: () => Promise<void> = nothing;
  afterStream: () => Promise<void> = nothing;

  override async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    this.writes.write('begun');
    try {
      const info = await super.putStream(key, source);
      await this.afterStream();
      return info;
    } catch (error) {
      this.writes.write('failed');
      throw error;
    }
  }

  override async concatenate(key: string, slices: readonly ObjectSlice[]): Promise<ObjectInfo> {
    await this.beforeConcatenate();
    const info = await super.concatenate(key, slices);
    await this.afterConcatenate();
    return info;
  }
}

export class UploadWorld {
  private constructor(
    readonly store: WatchedStore,
    readonly api: ApiUnderTest,
  ) {}

  static async start(options: Parameters<typeof startApi>[0] = {}): Promise<UploadWorld> {
    const store = new WatchedStore();
    return new UploadWorld(store, await startApi({ ...options, store }));
  }

  async anUpload(
    bytes: number,
    changes: Partial<OpenAI.UploadCreateParams> = {},
  ): Promise<OpenAI.Upload> {
    return await this.api.client.uploads.create({
      bytes,
      filename: 'in.jsonl',
      mime_type: 'application/jsonl',
      purpose: 'batch',
      ...changes,
    });
  }

  async addPart(uploadId: string, content: string): Promise<string> {
    const data = await toFile(Buffer.from(content), 'upload');
    return (await this.api.client.uploads.parts.create(uploadId, { data })).id;
  }

  async addParts(uploadId: string, ...contents: string[]): Promise<string[]> {
    const ids: string[] = [];
    for (const content of contents) {
      ids.push(await this.addPart(uploadId, content));
    }
    return ids;
  }

  /** @param path below `/v1/uploads`. */
  async post(path: string, body: unknown = {}): Promise<Answer> {
    return await send(this.api.url, {
      method: 'POST',
      path: `/v1/uploads${path}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async postPart(uploadId: string, parts: readonly Part[]): Promise<Answer> {
    return await send(this.api.url, {
      method: 'POST',
      path: `/v1/uploads/${uploadId}/parts`,
      headers: multipartType,
      body: multipart(parts),
    });
  }

  async contentOf(fileId: string | undefined): Promise<string> {
    return await (await this.api.client.files.content(fileId ?? '')).text();
  }

  async partKeys(): Promise<string[]> {
    const { items } = await this.store.list('');
    return items.map(({ key }) => key).filter((key) => key.includes('/parts/'));
  }
}

/** The part of a form that holds the bytes of an upload's part. */
export function dataPart(value: string | Buffer): Part {
  return { name: 'data', value, filename: 'upload' };
}

async function nothing(): Promise<void> {
  await Promise.resolve();
}
