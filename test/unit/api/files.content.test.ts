import { Readable } from 'node:stream';
import type { FileRecord } from '../../../src/domain/file';
import { defaultProjectId, makeFileId } from '../../../src/domain/ids';
import { errorOf, send, startApi, type Answer, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
let file: FileRecord;
beforeEach(async () => {
  api = await startApi();
  file = {
    id: makeFileId(1, 'ab'.repeat(10)),
    projectId: defaultProjectId,
    bytes: 10,
    createdAt: 1,
    expiresAt: null,
    filename: 'in.jsonl',
    purpose: 'batch',
  };
  await api.files.putContent(file.projectId, file.id, Readable.from([Buffer.from('0123456789')]));
  await api.files.create(file);
});
afterEach(async () => {
  await api.close();
});

async function download(headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return await send(api.url, { method, path: `/v1/files/${file.id}/content`, headers });
}

test('a download says that it can be asked for in ranges', async () => {
  const answer = await download();
  expect([answer.status, answer.text]).toEqual([200, '0123456789']);
  expect(answer.headers).toMatchObject({ 'accept-ranges': 'bytes', etag: `"${file.id}"` });
});

test.each([
  ['bytes=2-4', '234', 'bytes 2-4/10'],
  ['bytes=7-', '789', 'bytes 7-9/10'],
  ['bytes=-2', '89', 'bytes 8-9/10'],
])('%s is a part of it', async (range, text, contentRange) => {
  const answer = await download({ range });
  expect([answer.status, answer.text]).toEqual([206, text]);
  expect(answer.headers).toMatchObject({
    'content-range': contentRange,
    'content-length': String(text.length),
    'content-type': 'application/octet-stream',
    etag: `"${file.id}"`,
  });
});

test('a range behind its end is refused with its size', async () => {
  const answer = await download({ range: 'bytes=10-' });
  expect([answer.status, answer.headers['content-range']]).toEqual([416, 'bytes */10']);
  expect(errorOf(answer)).toEqual({
    message: 'The file has only 10 bytes.',
    type: 'invalid_request_error',
    param: null,
    code: null,
  });
});

test('several ranges are answered with the whole', async () => {
  const answer = await download({ range: 'bytes=0-1,4-5' });
  expect([answer.status, answer.text]).toEqual([200, '0123456789']);
  expect(answer.headers['content-range']).toBeUndefined();
});

test('a download that is taken up again depends on the same file', async () => {
  const range = 'bytes=5-';
  expect((await download({ range, 'if-range': `"${file.id}"` })).text).toBe('56789');
  for (const other of ['"file-1"', `W/"${file.id}"`, 'Thu, 01 Jan 1970 00:00:00 GMT']) {
    const answer = await download({ range, 'if-range': other });
    expect([answer.status, answer.text]).toEqual([200, '0123456789']);
  }
});

test.each(['GET', 'HEAD'])('a client that has the file gets no bytes by %s', async (method) => {
  for (const tags of [`"${file.id}"`, `"other", W/"${file.id}"`, '*']) {
    const answer = await download({ 'if-none-match': tags, range: 'bytes=0-1' }, method);
    expect([answer.status, answer.text, answer.headers.etag]).toEqual([304, '', `"${file.id}"`]);
  }
  expect((await download({ 'if-none-match': '"file-1"' }, method)).status).toBe(200);
});

test('HEAD says how large the whole is, whatever range it names', async () => {
  const answer = await download({ range: 'bytes=2-4' }, 'HEAD');
  expect([answer.status, answer.text]).toEqual([200, '']);
  expect(answer.headers).toMatchObject({
    'content-length': '10',
    'accept-ranges': 'bytes',
    'content-disposition': `attachment; filename="in.jsonl"; filename*=UTF-8''in.jsonl`,
  });
});

test('HEAD of a file that does not exist is 404', async () => {
  const path = `/v1/files/${makeFileId(2, 'cd'.repeat(10))}/content`;
  expect((await send(api.url, { method: 'HEAD', path })).status).toBe(404);
});
