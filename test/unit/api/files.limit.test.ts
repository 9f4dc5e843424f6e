import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { defaultProjectId, type UploadId } from '../../../src/domain/ids';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { UploadStore } from '../../../src/storage/upload-store';
import { eventually } from '../../support/eventually';
import {
  apiKey,
  errorOf,
  send,
  startApi,
  testLimits,
  type Answer,
  type ApiUnderTest,
} from './api-under-test';
import { batchPurpose, filePart, multipart, multipartType } from './multipart';

const filesMax = 2;

let store: MemoryObjectStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new MemoryObjectStore();
  api = await startApi({ store, settings: { limits: { ...testLimits, filesMax } } });
});
afterEach(async () => {
  await api.close();
});

async function upload(content = '{}\n'): Promise<Answer> {
  return await send(api.url, {
    method: 'POST',
    path: '/v1/files',
    headers: multipartType,
    body: multipart([batchPurpose, filePart(content)]),
  });
}

async function someFiles(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push(((await upload()).json() as { id: string }).id);
  }
  return ids;
}

const refusal = {
  message:
    'Your project has its limit of 2 uploaded files. Please delete some that you no longer need, with DELETE /v1/files/{file_id}. Output and error files of batches do not count.',
  type: 'invalid_request_error',
  param: null,
  code: 'file_limit_exceeded',
};

test('a file above the limit is refused for good, until another is deleted', async () => {
  const [first = ''] = await someFiles(filesMax);
  const before = (await store.list('')).items;
  const answer = await upload();
  expect([answer.status, answer.headers['x-should-retry']]).toEqual([400, 'false']);
  expect(errorOf(answer)).toEqual(refusal);
  expect((await store.list('')).items).toEqual(before);
  await api.client.files.delete(first);
  expect((await upload()).status).toBe(200);
  expect((await upload()).status).toBe(400);
});

test('is counted for an upload in parts when it is completed', async () => {
  const [first = ''] = await someFiles(filesMax);
  const bytes = 3;
  const { id } = await api.client.uploads.create({
    bytes,
    filename: 'a.jsonl',
    mime_type: 'application/jsonl',
    purpose: 'batch',
  });
  const data = new File(['{}\n'], 'upload');
  const part = await api.client.uploads.parts.create(id, { data });
  const complete = async (): Promise<unknown> =>
    await api.client.uploads.complete(id, { part_ids: [part.id] });
  await expect(complete()).rejects.toMatchObject({ status: 400, code: 'file_limit_exceeded' });
  await api.client.files.delete(first);
  expect(await complete()).toMatchObject({ status: 'completed' });
  expect((await upload()).status).toBe(400);
});

test('as many uploads in parts may be begun, and no more until the sweeper has taken some', async () => {
  const begin = async (): Promise<string> => {
    const request = { bytes: 3, filename: 'a.jsonl', mime_type: 'x/y', purpose: 'batch' } as const;
    return (await api.client.uploads.create(request)).id;
  };
  const ids = [await begin(), await begin()];
  await api.client.uploads.cancel(ids[0] ?? '');
  await expect(begin()).rejects.toMatchObject({ status: 400, code: 'file_limit_exceeded' });
  const uploads = new UploadStore(store);
  const laterSeconds = api.clock.nowMs / 1000 + 3 * 3_600;
  await uploads.sweep(defaultProjectId, ids[0] as UploadId, laterSeconds);
  expect(await begin()).toMatch(/^upload_/);
});

test('an upload that fails does not count', async () => {
  await someFiles(filesMax - 1);
  expect((await upload('')).status).toBe(400);
  expect((await upload('x'.repeat(2_000_000))).status).toBe(400);
  expect((await upload()).status).toBe(200);
});

test('the answer comes before the file does', async () => {
  await someFiles(filesMax);
  const before = (await store.list('')).items;
  const body = multipart([batchPurpose, filePart('x'.repeat(500_000))]);
  const request = httpRequest(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { ...multipartType, authorization: apiKey, 'content-length': body.length },
  });
  request.on('error', () => undefined);
  request.write(body.subarray(0, 250_000));
  const [response] = (await once(request, 'response')) as [{ statusCode: number }];
  expect(response.statusCode).toBe(400);
  request.destroy();
  await eventually(
    'nothing is left',
    async () => (await store.list('')).items.length === before.length,
  );
});
