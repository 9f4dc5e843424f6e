/** The object store of unit tests: the same promises, in the memory of one process. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  assertRange,
  compareKeys,
  listLimitMax,
  StoreFault,
  type ByteRange,
  type CertainRange,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectInfo,
  type ObjectSlice,
  type ObjectStore,
  type StoredObject,
  type WriteCondition,
} from './object-store';

/** Reads come in chunks of this size, so that readers meet lines that straddle two of them. */
const chunkBytes = 64 * 1024;

export class MemoryObjectStore implements ObjectStore {
  private readonly objects = new Map<string, StoredObject>();

  async put(
    key: string,
    bytes: Uint8Array,
    condition?: WriteCondition,
  ): Promise<ObjectInfo | undefined> {
    await Promise.resolve();
    return this.allows(key, condition) ? this.write(key, Buffer.from(bytes)) : undefined;
  }

  async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    const chunks: Buffer[] = [];
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      chunks.push(Buffer.from(chunk));
    }
    return this.write(key, Buffer.concat(chunks));
  }

  async concatenate(key: string, slices: readonly ObjectSlice[]): Promise<ObjectInfo> {
    const parts = await Promise.all(slices.map(async (slice) => await this.slice(slice)));
    return this.write(key, Buffer.concat(parts));
  }

  async get(key: string): Promise<StoredObject | undefined> {
    await Promise.resolve();
    const stored = this.objects.get(key);
    return stored && { etag: stored.etag, bytes: Buffer.from(stored.bytes) };
  }

  async getRange(key: string, range: CertainRange): Promise<Buffer | undefined> {
    assertRange(range);
    const stored = await this.get(key);
    const end = range.offset + range.length;
    const isIt = range.etag === undefined || range.etag === stored?.etag;
    return stored === undefined || !isIt || end > stored.bytes.length
      ? undefined
      : stored.bytes.subarray(range.offset, end);
  }

  async openRead(key: string, range?: ByteRange): Promise<Readable | undefined> {
    const bytes =
      range === undefined ? (await this.get(key))?.bytes : await this.getRange(key, range);
    return bytes && Readable.from(chunksOf(bytes), { objectMode: false });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    await Promise.resolve();
    const stored = this.objects.get(key);
    return stored && infoOf(stored);
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage<ListedObject>> {
    await Promise.resolve();
    const page = pageOf(this.keysBelow(prefix), options);
    const items = page.items.map((key) => ({
      key,
      sizeBytes: this.objects.get(key)?.bytes.length ?? 0,
    }));
    return { items, hasMore: page.hasMore };
  }

  async listFolders(prefix: string, options: ListOptions = {}): Promise<ListPage<string>> {
    await Promise.resolve();
    const folders = new Set<string>();
    for (const key of this.keysBelow(prefix)) {
      const slash = key.indexOf('/', prefix.length);
      if (slash >= 0) {
        folders.add(key.slice(0, slash + 1));
      }
    }
    return pageOf([...folders], options);
  }

  async delete(keys: readonly string[]): Promise<void> {
    await Promise.resolve();
    for (const key of keys) {
      this.objects.delete(key);
    }
  }

  private allows(key: string, condition: WriteCondition | undefined): boolean {
    if (condition === undefined) {
      return true;
    }
    const etag = this.objects.get(key)?.etag;
    return 'ifAbsent' in condition ? etag === undefined : etag === condition.ifEtag;
  }

  private write(key: string, bytes: Buffer): ObjectInfo {
    const stored = { etag: createHash('md5').update(bytes).digest('hex'), bytes };
    this.objects.set(key, stored);
    return infoOf(stored);
  }

  private async slice(slice: ObjectSlice): Promise<Buffer> {
    const bytes = await this.getRange(slice.key, slice);
    if (bytes === undefined) {
      throw new StoreFault(`A slice to concatenate is missing [key=${slice.key}]`);
    }
    return bytes;
  }

  private keysBelow(prefix: string): string[] {
    return [...this.objects.keys()].filter((key) => key.startsWith(prefix));
  }
}

function infoOf(stored: StoredObject): ObjectInfo {
  return { etag: stored.etag, sizeBytes: stored.bytes.length };
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    yield bytes.subarray(offset, offset + chunkBytes);
  }
}

function pageOf(keys: readonly string[], options: ListOptions): ListPage<string> {
  const { after, limit = listLimitMax } = options;
  const behind = keys
    .filter((key) => after === undefined || compareKeys(key, after) > 0)
    .sort(compareKeys);
  return { items: behind.slice(0, limit), hasMore: behind.length > limit };
}
