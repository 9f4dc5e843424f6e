import { once } from 'node:events';
import { connect } from 'node:net';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { eventually } from '../../support/eventually';
import {
  apiKey,
  send,
  startApi,
  testLimits,
  type Answer,
  type ApiUnderTest,
} from './api-under-test';
import { batchPurpose, filePart, multipart, multipartType } from './multipart';

let store: MemoryObjectStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new MemoryObjectStore();
  const limits = { ...testLimits, filesMax: 1_000 };
  api = await startApi({ store, settings: { limits } });
});
afterEach(async () => {
  await api.close();
});

async function upload(body: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  return await send(api.url, {
    method: 'POST',
    path: '/v1/files',
    headers: { ...multipartType, ...headers },
    body,
  });
}

/** At one size a parser that keeps the end of a chunk back once read `\r\nbatch` as the purpose. */
test.each([1_048_222, 1_048_223, 1_048_224, 1_048_225, 1_048_226])(
  'the purpose behind a file of %i bytes is read as it was sent',
  async (bytes) => {
    const answer = await upload(multipart([filePart(Buffer.alloc(bytes, '{')), batchPurpose]));
    expect(answer.json()).toMatchObject({ bytes, purpose: 'batch' });
  },
);

test('a delimiter is found wherever a chunk of the network ends in it', async () => {
  const chunkBytes = 65_536;
  const delimiterBytes = 120;
  for (let missing = 0; missing < 2 * delimiterBytes; missing += 1) {
    const content = Buffer.alloc(chunkBytes - missing, '{');
    const answer = await upload(multipart([filePart(content), batchPurpose]));
    expect(answer.json()).toMatchObject({ bytes: content.length, purpose: 'batch' });
  }
});

test('a file whose bytes look like delimiters keeps them', async () => {
  const boundary = multipartType['content-type'].split('=')[1] ?? '';
  const content = `{\r\n--${boundary.slice(0, -1)}\r\n-\r\n--\r\n\r\n--x${boundary}`;
  const answer = await upload(multipart([filePart(content), batchPurpose]));
  const { id } = answer.json() as { id: string };
  expect(await (await api.client.files.content(id)).text()).toBe(content);
});

test('a body without a length is read to its end', async () => {
  const body = multipart([filePart('{}\n'), batchPurpose]);
  const answer = await upload(body, { 'transfer-encoding': 'chunked' });
  expect(answer.json()).toMatchObject({ bytes: 3, purpose: 'batch' });
});

test.each([
  ['..%2F..%2Fetc%2Fpasswd.jsonl', '..%2F..%2Fetc%2Fpasswd.jsonl'],
  ['../../etc/in.jsonl', 'in.jsonl'],
  ['C:\\data\\in.jsonl', 'in.jsonl'],
  ['..', 'upload'],
  ['.jsonl', '.jsonl'],
  ['a;b=c.jsonl', 'a;b=c.jsonl'],
  ['\u{1f600}.jsonl', '\u{1f600}.jsonl'],
])('a file named %s is called %s', async (filename, shown) => {
  const answer = await upload(multipart([filePart('{}\n', filename), batchPurpose]));
  expect(answer.json()).toMatchObject({ filename: shown });
});

describe('a length that lies', () => {
  async function sendRaw(announcedBytes: number, body: Buffer): Promise<string> {
    const { hostname, port } = new URL(api.url);
    const socket = connect(Number(port), hostname);
    const head = [
      'POST /v1/files HTTP/1.1',
      `host: ${hostname}`,
      `authorization: ${apiKey}`,
      `content-type: ${multipartType['content-type']}`,
      `content-length: ${announcedBytes}`,
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.end(body);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('error', () => undefined);
    await once(socket, 'close');
    return Buffer.concat(chunks).toString();
  }

  test.each([
    ['too short', -40],
    ['too long', 40],
  ])('by being %s leaves nothing behind', async (_case, difference) => {
    const body = multipart([filePart('{}\n'), batchPurpose]);
    expect(await sendRaw(body.length + difference, body)).not.toMatch(/^HTTP\/1\.1 200/);
    await eventually('nothing is left', async () => (await store.list('')).items.length === 0);
  });
});

test('whoever deletes the files of each page before asking for the next misses none', async () => {
  for (let count = 0; count < 7; count += 1) {
    await upload(multipart([filePart('{}\n'), batchPurpose]));
  }
  let deleted = 0;
  for await (const file of api.client.files.list({ limit: 3 })) {
    await api.client.files.delete(file.id);
    deleted += 1;
  }
  expect(deleted).toBe(7);
  expect((await api.client.files.list()).data).toEqual([]);
});
