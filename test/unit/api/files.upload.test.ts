import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { PassThrough, type Readable } from 'node:stream';
import { toFile } from 'openai';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { StoreFault, type ObjectInfo } from '../../../src/storage/object-store';
import { eventually } from '../../support/eventually';
import { apiKey, errorOf, send, startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { batchPurpose, filePart, multipart, multipartType, type Part } from './multipart';

const line = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"small"}}\n';

interface ErrorDetails {
  readonly message: string;
  readonly param: string | null;
  readonly code: string | null;
}

/** Shows when a write begins and how it ends, and fails on demand. */
class WatchedStore extends MemoryObjectStore {
  readonly writes = new PassThrough({ objectMode: true });
  faulty = false;

  override async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    if (this.faulty) {
      throw new StoreFault('the store is down');
    }
    this.writes.write('begun');
    try {
      return await super.putStream(key, source);
    } catch (error) {
      this.writes.write('failed');
      throw error;
    }
  }
}

let store: WatchedStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new WatchedStore();
  api = await startApi({ store });
});
afterEach(async () => {
  await api.close();
});

function expiry(anchor: string, seconds: string): readonly Part[] {
  return [
    { name: 'expires_after[anchor]', value: anchor },
    { name: 'expires_after[seconds]', value: seconds },
  ];
}

async function upload(parts: readonly Part[]): Promise<Answer> {
  return await send(api.url, {
    method: 'POST',
    path: '/v1/files',
    headers: multipartType,
    body: multipart(parts),
  });
}

async function storedKeys(): Promise<string[]> {
  return (await store.list('')).items.map((item) => item.key);
}

describe('an upload', () => {
  test('through the official client becomes a file', async () => {
    const file = await api.client.files.create({
      file: await toFile(Buffer.from(line), 'requests.jsonl'),
      purpose: 'batch',
    });
    expect(file).toEqual({
      id: expect.stringMatching(/^file-[0-9a-f]{32}$/),
      object: 'file',
      bytes: line.length,
      created_at: 1_767_225_600,
      expires_at: 1_767_225_600 + 2_592_000,
      filename: 'requests.jsonl',
      purpose: 'batch',
      status: 'processed',
      status_details: null,
    });
    expect(await (await api.client.files.content(file.id)).text()).toBe(line);
  });

  test('keeps what is no batch input until it is deleted', async () => {
    const answer = await upload([
      filePart('any bytes', 'notes.txt'),
      { name: 'purpose', value: 'evals' },
    ]);
    expect(answer.json()).toMatchObject({
      purpose: 'evals',
      filename: 'notes.txt',
      expires_at: null,
    });
  });

  test.each([
    ['brackets', 'expires_after[anchor]', 'expires_after[seconds]'],
    ['dots', 'expires_after.anchor', 'expires_after.seconds'],
  ])('takes its expiry in %s', async (_form, anchor, seconds) => {
    const answer = await upload([
      filePart(line),
      { name: seconds, value: '3600' },
      batchPurpose,
      { name: anchor, value: 'created_at' },
    ]);
    expect(answer.json()).toMatchObject({ created_at: 1_767_225_600, expires_at: 1_767_229_200 });
  });

  test.each([
    ['upload', line],
    ['unknown_file', `\r\n \t\n${line}`],
    ['', line],
    ['noted.txt', `\u{feff}${line}`],
    ['REQUESTS.JSONL', 'not json at all'],
  ])('named "%s" is accepted for a batch', async (filename, content) => {
    expect((await upload([batchPurpose, filePart(content, filename)])).status).toBe(200);
  });

  test('keeps the name without its folders, in any script', async () => {
    const answer = await upload([batchPurpose, filePart(line, '/home/me/übung %22 中.jsonl')]);
    expect(answer.json()).toMatchObject({ filename: 'übung %22 中.jsonl' });
  });

  test('reads the same wherever the network cuts it', async () => {
    const body = multipart([
      batchPurpose,
      filePart('{"a":1}\r\n--longhaul\r\n'),
      ...expiry('created_at', '7200'),
    ]);
    for (let cut = 1; cut < body.length; cut += 1) {
      const answer = await send(api.url, {
        method: 'POST',
        path: '/v1/files',
        headers: multipartType,
        body: [body.subarray(0, cut), body.subarray(cut)],
      });
      const file = answer.json() as {
        bytes: number;
        purpose: string;
        expires_at: number;
        created_at: number;
      };
      expect([answer.status, file.bytes, file.purpose, file.expires_at - file.created_at]).toEqual([
        200,
        21,
        'batch',
        7200,
      ]);
    }
  });
});

describe('a bad upload is refused and leaves nothing behind:', () => {
  const oversize = Buffer.alloc(1_048_577, '{');
  const tooManyFields = Array.from({ length: 21 }, (_, index) => ({
    name: `field-${index}`,
    value: 'x',
  }));
  const missing = 'missing_required_parameter';

  test.each<[string, readonly Part[], ErrorDetails]>([
    [
      'no file',
      [batchPurpose],
      { message: "Missing required parameter: 'file'.", param: 'file', code: missing },
    ],
    [
      'file as text',
      [batchPurpose, { name: 'file', value: line }],
      { message: "Missing required parameter: 'file'.", param: 'file', code: missing },
    ],
    [
      'file under another name',
      [batchPurpose, { name: 'data', value: line, filename: 'in.jsonl' }],
      { message: "Missing required parameter: 'file'.", param: 'file', code: missing },
    ],
    [
      'no purpose',
      [filePart(line)],
      { message: "Missing required parameter: 'purpose'.", param: 'purpose', code: missing },
    ],
    [
      'unknown purpose',
      [filePart(line), { name: 'purpose', value: 'vector_store' }],
      {
        message:
          "'vector_store' is not one of ['fine-tune', 'assistants', 'batch', 'user_data', 'vision', 'evals'] - 'purpose'",
        param: 'purpose',
        code: null,
      },
    ],
    [
      'not JSON Lines',
      [filePart('a,b\n', 'in.csv'), batchPurpose],
      { message: 'Invalid file format for Batch API. Must be .jsonl', param: null, code: null },
    ],
    [
      'blank and unnamed',
      [filePart('\n \n', 'upload'), batchPurpose],
      { message: 'Invalid file format for Batch API. Must be .jsonl', param: null, code: null },
    ],
    [
      'no bytes',
      [filePart(''), batchPurpose],
      { message: 'File is empty.', param: 'file', code: null },
    ],
    [
      'too large',
      [filePart(oversize), batchPurpose],
      { message: 'File is too large.', param: null, code: null },
    ],
    [
      'expiry without anchor',
      [filePart(line), batchPurpose, { name: 'expires_after[seconds]', value: '3600' }],
      {
        message: "Missing required parameter: 'expires_after.anchor'.",
        param: 'expires_after.anchor',
        code: missing,
      },
    ],
    [
      'expiry of another anchor',
      [filePart(line), batchPurpose, ...expiry('now', '3600')],
      {
        message: "Invalid value: 'now'. Supported values are: 'created_at'.",
        param: 'expires_after.anchor',
        code: 'invalid_value',
      },
    ],
    [
      'expiry too soon',
      [filePart(line), batchPurpose, ...expiry('created_at', '3599')],
      {
        message:
          "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 3599 instead.",
        param: 'expires_after.seconds',
        code: 'integer_below_min_value',
      },
    ],
    [
      'expiry too late',
      [filePart(line), batchPurpose, ...expiry('created_at', '2592001')],
      {
        message:
          "Invalid 'expires_after.seconds': integer above maximum value. Expected a value <= 2592000, but got 2592001 instead.",
        param: 'expires_after.seconds',
        code: 'integer_above_max_value',
      },
    ],
    [
      'expiry that is no number',
      [filePart(line), batchPurpose, ...expiry('created_at', '1e4')],
      {
        message:
          "Invalid type for 'expires_after.seconds': expected an integer, but got a string instead.",
        param: 'expires_after.seconds',
        code: 'invalid_type',
      },
    ],
    [
      'two files',
      [filePart(line), filePart(line), batchPurpose],
      {
        message:
          'We could not parse the multipart form of your request: it has more than one file.',
        param: null,
        code: null,
      },
    ],
    [
      'many fields',
      [filePart(line), ...tooManyFields],
      {
        message: 'We could not parse the multipart form of your request: it has too many fields.',
        param: null,
        code: null,
      },
    ],
    [
      'long field',
      [filePart(line), { name: 'purpose', value: 'x'.repeat(2_000) }],
      {
        message: 'We could not parse the multipart form of your request: a field is too long.',
        param: null,
        code: null,
      },
    ],
    [
      'long filename',
      [filePart(line, `${'x'.repeat(300)}.jsonl`), batchPurpose],
      {
        message:
          "Invalid 'file': filename too long. Expected a filename with maximum length 255, but got a filename with length 306 instead.",
        param: 'file',
        code: 'string_above_max_length',
      },
    ],
  ])('%s', async (_case, parts, details) => {
    const answer = await upload(parts);
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toEqual({ type: 'invalid_request_error', ...details });
    expect(await storedKeys()).toEqual([]);
  });

  test.each([
    ['application/json', 415, 'unsupported_content_type'],
    ['application/x-www-form-urlencoded', 415, 'unsupported_content_type'],
    ['multipart/form-data', 400, null],
    ['', 400, null],
  ])('sent as "%s"', async (type, status, code) => {
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: type === '' ? {} : { 'content-type': type },
      body: multipart([batchPurpose, filePart(line)]),
    });
    expect([answer.status, errorOf(answer).code]).toEqual([status, code]);
    expect(await storedKeys()).toEqual([]);
  });

  test.each([1, 40, 90, 160])('its last %i bytes are missing', async (cut) => {
    const body = multipart([batchPurpose, filePart(line)]);
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: multipartType,
      body: body.subarray(0, body.length - 4 - cut),
    });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toMatch(/^We could not parse the multipart form/);
    expect(await storedKeys()).toEqual([]);
  });

  test('it breaks off in a part that nobody asked for', async () => {
    const body = multipart([{ name: 'data', value: line, filename: 'in.jsonl' }]);
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: multipartType,
      body: body.subarray(0, 150),
    });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toMatch(/Unexpected end of form/);
  });

  test('the form is not one', async () => {
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: multipartType,
      body: 'x'.repeat(200_000),
    });
    expect(answer.status).toBe(400);
    errorOf(answer);
  });
});

test('a client that goes away in the middle leaves nothing behind', async () => {
  const body = multipart([batchPurpose, filePart(line.repeat(100))]);
  const request = httpRequest(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { ...multipartType, authorization: apiKey },
  });
  request.on('error', () => undefined);
  request.write(body.subarray(0, 4_000));
  expect(await once(store.writes, 'data')).toEqual(['begun']);
  request.destroy();
  expect(await once(store.writes, 'data')).toEqual(['failed']);
  await eventually('nothing is left', async () => (await storedKeys()).length === 0);
});

test('an upload that stalls is cut', async () => {
  await api.close();
  api = await startApi({ store, settings: { idleTimeoutMs: 50 } });
  const body = multipart([batchPurpose, filePart(line)]);
  const request = httpRequest(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { ...multipartType, authorization: apiKey },
  });
  request.write(body.subarray(0, 150));
  const [response] = (await once(request, 'response')) as [{ statusCode: number }];
  expect(response.statusCode).toBe(408);
  expect(await storedKeys()).toEqual([]);
  request.on('error', () => undefined);
  request.destroy();
});

test('a store that is down answers 503, and says when to come back', async () => {
  store.faulty = true;
  const answer = await upload([batchPurpose, filePart(Buffer.alloc(900_000, '{'))]);
  expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
  expect(errorOf(answer)).toMatchObject({ type: 'server_error', code: null });
});
