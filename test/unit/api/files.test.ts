import { once } from 'node:events';
import { get } from 'node:http';
import { Readable } from 'node:stream';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { toFileWire } from '../../../src/api/files/file.wire';
import type { FileRecord } from '../../../src/domain/file';
import { defaultProjectId, makeFileId, type FileId } from '../../../src/domain/ids';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { StoreFault } from '../../../src/storage/object-store';
import { apiKey, emptyList, errorOf, send, startApi, type ApiUnderTest } from './api-under-test';
import { withoutNulls } from './without-nulls';

/** Lets a test say what stream a download reads. */
class StreamingStore extends MemoryObjectStore {
  stream: Readable | undefined;

  override async openRead(key: string): Promise<Readable | undefined> {
    return this.stream ?? (await super.openRead(key));
  }
}

let store: StreamingStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new StreamingStore();
  api = await startApi({ store });
});
afterEach(async () => {
  await api.close();
});

async function aFile(changes: Partial<FileRecord> = {}, content = '{}\n'): Promise<FileRecord> {
  const nowMs = (api.clock.nowMs += 1_000);
  const file: FileRecord = {
    id: makeFileId(nowMs, 'ab'.repeat(10)),
    projectId: defaultProjectId,
    bytes: content.length,
    createdAt: Math.floor(nowMs / 1000),
    expiresAt: null,
    filename: 'in.jsonl',
    purpose: 'batch',
    ...changes,
  };
  await api.files.putContent(file.projectId, file.id, Readable.from([Buffer.from(content)]));
  await api.files.create(file);
  return file;
}

async function someFiles(count: number): Promise<FileId[]> {
  const ids: FileId[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push((await aFile()).id);
  }
  return ids;
}

test('the wire object is what the official types say', () => {
  const file: FileRecord = {
    id: 'file-1',
    projectId: 'p',
    bytes: 1,
    createdAt: 2,
    expiresAt: 3,
    filename: 'a',
    purpose: 'batch_output',
  };
  // `evals` may be uploaded, but is missing from the type of answers.
  const oracle: OpenAI.FileObject = { ...withoutNulls(toFileWire(file)), purpose: 'batch_output' };
  expect(oracle.purpose).toBe('batch_output');
});

describe('a file', () => {
  test('is found by its id', async () => {
    const file = await aFile();
    expect(await api.client.files.retrieve(file.id)).toEqual(toFileWire(file));
  });

  test('is gone once it is deleted', async () => {
    const file = await aFile();
    expect(await api.client.files.delete(file.id)).toEqual({
      id: file.id,
      object: 'file',
      deleted: true,
    });
    await expect(api.client.files.retrieve(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(api.client.files.content(file.id)).rejects.toMatchObject({ status: 404 });
    await expect(api.client.files.delete(file.id)).rejects.toMatchObject({ status: 404 });
  });

  test('is deleted without a body under a JSON type, as the Python client does', async () => {
    const file = await aFile();
    const headers = { 'content-type': 'application/json' };
    const answer = await send(api.url, { method: 'DELETE', path: `/v1/files/${file.id}`, headers });
    expect(answer.status).toBe(200);
  });

  test('is gone once it has expired', async () => {
    const { id, createdAt } = await aFile();
    const expired = await aFile({ expiresAt: createdAt });
    expect((await api.client.files.list()).data.map((file) => file.id)).toEqual([id]);
    await expect(api.client.files.retrieve(expired.id)).rejects.toMatchObject({ status: 404 });
  });

  test.each(['file-abc123', `file-${'0'.repeat(32)}`, '..%2F..%2Fsecret', 'batch_1'])(
    'named %s is not found',
    async (id) => {
      for (const path of [`/v1/files/${id}`, `/v1/files/${id}/content`]) {
        const answer = await send(api.url, { path });
        expect(answer.status).toBe(404);
        expect(errorOf(answer)).toEqual({
          message: `No such File object: ${decodeURIComponent(id)}`,
          type: 'invalid_request_error',
          param: 'id',
          code: null,
        });
      }
    },
  );
});

describe('the list', () => {
  test('is newest first, in pages', async () => {
    const newest = (await someFiles(5)).reverse();
    const first = await api.client.files.list({ limit: 2 });
    expect(first.has_more).toBe(true);
    const all: string[] = [];
    for await (const file of api.client.files.list({ limit: 2 })) {
      all.push(file.id);
    }
    expect(all).toEqual(newest);
  });

  test('is oldest first on request', async () => {
    const oldest = await someFiles(5);
    const all: string[] = [];
    for await (const file of api.client.files.list({ limit: 2, order: 'asc' })) {
      all.push(file.id);
    }
    expect(all).toEqual(oldest);
  });

  test.each(['desc', 'asc'] as const)('has full pages among deleted files, %s', async (order) => {
    const ids = await someFiles(9);
    const kept = ids.filter((_, index) => index % 4 === 0);
    for (const id of ids.filter((one) => !kept.includes(one))) {
      await api.files.delete(defaultProjectId, id);
      await api.files.use(defaultProjectId, id, { batchId: 'batch_1', nowSeconds: 0 });
    }
    const expected = order === 'asc' ? kept : kept.toReversed();
    const page = await api.client.files.list({ limit: 2, order });
    expect(page.data.map((file) => file.id)).toEqual(expected.slice(0, 2));
    expect(page.has_more).toBe(true);
    const last = await api.client.files.list({ limit: 2, order, after: expected[1] ?? '' });
    expect([last.data.map((file) => file.id), last.has_more]).toEqual([expected.slice(2), false]);
  });

  test('shows one purpose on request', async () => {
    await aFile();
    const output = await aFile({ purpose: 'batch_output' });
    const page = await api.client.files.list({ purpose: 'batch_output' });
    expect(page.data.map((file) => file.id)).toEqual([output.id]);
  });

  test('is empty behind the last file and behind what is no file', async () => {
    const file = await aFile();
    for (const after of [file.id, 'nonsense', `file-${'f'.repeat(32)}`]) {
      const answer = await send(api.url, { path: `/v1/files?after=${after}` });
      expect(answer.json()).toEqual(emptyList);
    }
  });

  test.each([
    [
      'limit=10001',
      "Invalid 'limit': integer above maximum value. Expected a value <= 10000, but got 10001 instead.",
      'limit',
      'integer_above_max_value',
    ],
    [
      'limit=-1',
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got -1 instead.",
      'limit',
      'integer_below_min_value',
    ],
    [
      'limit=abc',
      "Invalid type for 'limit': expected an integer, but got a string instead.",
      'limit',
      'invalid_type',
    ],
    [
      'limit=1&limit=2',
      "Duplicate parameter: 'limit'. You may only provide this parameter once.",
      'limit',
      'duplicate_parameter',
    ],
    ['order=up', 'order must be asc or desc.', null, null],
  ])('refuses ?%s', async (query, message, param, code) => {
    const answer = await send(api.url, { path: `/v1/files?${query}` });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toEqual({ message, type: 'invalid_request_error', param, code });
  });

  test('takes a limit of zero for the default', async () => {
    await aFile();
    const answer = await send(api.url, { path: '/v1/files?limit=0&after=' });
    expect((answer.json() as { data: unknown[] }).data).toHaveLength(1);
  });
});

describe('a download', () => {
  test('has the bytes, their number and the name', async () => {
    const file = await aFile({ filename: 'ü"b\r\n.jsonl' }, 'x'.repeat(200_000));
    const answer = await send(api.url, { path: `/v1/files/${file.id}/content` });
    expect(answer.text).toBe('x'.repeat(200_000));
    expect(answer.headers).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '200000',
      'content-disposition': `attachment; filename="__b__.jsonl"; filename*=UTF-8''%C3%BC%22b%0D%0A.jsonl`,
    });
  });

  test('of some purposes is not allowed', async () => {
    const file = await aFile({ purpose: 'assistants' });
    const answer = await send(api.url, { path: `/v1/files/${file.id}/content` });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toBe('Not allowed to download files of purpose: assistants');
  });

  test('that breaks off in the store breaks the connection', async () => {
    const file = await aFile({}, 'x'.repeat(100_000));
    store.stream = Readable.from(
      (async function* () {
        yield Buffer.alloc(50_000);
        await Promise.resolve();
        throw new StoreFault('the store went away');
      })(),
      { objectMode: false },
    );
    await expect(send(api.url, { path: `/v1/files/${file.id}/content` })).rejects.toThrow();
  });

  test('that is shorter than its record says breaks the connection', async () => {
    const file = await aFile({ bytes: 100 });
    store.stream = Readable.from([Buffer.alloc(99)]);
    await expect(send(api.url, { path: `/v1/files/${file.id}/content` })).rejects.toThrow();
  });

  test('that the client leaves lets go of the store', async () => {
    const file = await aFile({ bytes: 1e12 });
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    store.stream = endless;
    const request = get(`${api.url}/v1/files/${file.id}/content`, {
      headers: { authorization: apiKey },
    });
    await once(request, 'response');
    request.destroy();
    await new Promise((resolve) => endless.once('close', resolve));
    expect(endless.destroyed).toBe(true);
  });
});

test('an upload through the client can be read back by every route', async () => {
  const file = await api.client.files.create({
    file: await toFile(Buffer.from('{"custom_id":"1"}')),
    purpose: 'batch',
  });
  expect(file.filename).toBe('unknown_file');
  expect((await api.client.files.list()).data).toEqual([file]);
});
