/** What the official clients never send, and others do: by curl, and byte by byte. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';
import { curl, curlOf, withJson, type Curl, type CurlAnswer } from './support/curl';
import { sendRaw } from './support/raw-connection';
import { errorOnWire, fileOnWire, listOnWire } from './support/wire';

const text = chatLines(4).join('\n');
const stack = useStack();
let call: Curl;
let folder: string;
let path: string;
let fileId: string;

beforeAll(async () => {
  call = curlOf(stack());
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  path = join(folder, 'in.jsonl');
  writeFileSync(path, text);
  writeFileSync(`${path}.pdf`, '%PDF-1.7');
  fileId = ((await upload('purpose=batch', `file=@${path}`)).json() as { id: string }).id;
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function upload(...fields: readonly string[]): Promise<CurlAnswer> {
  return await call('/files', ...fields.flatMap((field) => ['-F', field]));
}

const batchRequest = (): object => ({
  input_file_id: fileId,
  endpoint: '/v1/chat/completions',
  completion_window: '24h',
});

async function endOf(answer: CurlAnswer): Promise<string> {
  expect(answer.status).toBe(200);
  const { id } = answer.json() as { id: string };
  return (await waitForEnd(clientOf(stack()), id)).status;
}

describe('an upload', () => {
  it.each([
    ['dots', ['expires_after.anchor=created_at', 'expires_after.seconds=7200']],
    ['brackets', ['expires_after[anchor]=created_at', 'expires_after[seconds]=7200']],
  ])('may write its expiry with %s, before and after the file', async (_, expiry) => {
    for (const fields of [
      ['purpose=batch', ...expiry, `file=@${path}`],
      [`file=@${path}`, ...expiry, 'purpose=batch'],
    ]) {
      const answer = await upload(...fields);
      const file = answer.json() as { created_at: number; expires_at: number };
      expect(file).toEqual(fileOnWire({ filename: 'in.jsonl' }));
      expect(file.expires_at - file.created_at).toBe(7_200);
    }
  });

  it.each([
    ['chunked', ['-H', 'Transfer-Encoding: chunked']],
    ['after 100 Continue', ['-H', 'Expect: 100-continue']],
    ['by HTTP/1.0', ['--http1.0']],
  ])('may be sent %s', async (_, args) => {
    const answer = await call('/files', '-F', `file=@${path}`, '-F', 'purpose=batch', ...args);
    expect(answer.json()).toEqual(fileOnWire({ filename: 'in.jsonl', bytes: text.length }));
    expect(answer.status).toBe(200);
  });

  it.each([
    ['no file', ['purpose=batch'], errorOnWire('missing_required_parameter', 'file')],
    ['no purpose', ['file=@IN'], errorOnWire('missing_required_parameter', 'purpose')],
    ['another purpose', ['purpose=x', 'file=@IN'], errorOnWire(null, 'purpose')],
    ['another format', ['purpose=batch', 'file=@IN.pdf'], errorOnWire()],
    [
      'an expiry without anchor',
      ['purpose=batch', 'file=@IN', 'expires_after[seconds]=7200'],
      errorOnWire('missing_required_parameter', 'expires_after.anchor'),
    ],
    [
      'an early expiry',
      ['purpose=batch', 'file=@IN', 'expires_after.anchor=created_at', 'expires_after.seconds=10'],
      errorOnWire('integer_below_min_value', 'expires_after.seconds'),
    ],
  ])('with %s is refused', async (_, fields, error) => {
    const answer = await upload(...fields.map((field) => field.replace('@IN', `@${path}`)));
    expect([answer.status, answer.json()]).toEqual([400, error]);
  });
});

describe('the key', () => {
  it.each(['KEY', 'Bearer KEY', 'bearer   KEY'])('is taken from %s', async (form) => {
    const header = `Authorization: ${form.replace('KEY', stack().apiKey)}`;
    expect((await curl(`${stack().baseUrl}/models`, '-H', header)).status).toBe(200);
  });

  it.each(['sk-somebody-elses-key-0000', 'Bearer sk-somebody-elses-key-0000', 'Basic QTpC'])(
    'is not %s',
    async (value) => {
      const answer = await curl(`${stack().baseUrl}/models`, '-H', `Authorization: ${value}`);
      expect([answer.status, answer.json()]).toEqual([401, errorOnWire('invalid_api_key')]);
      expect(answer.body.toString()).not.toContain('somebody');
    },
  );
});

describe('a content', () => {
  const content = async (...args: readonly string[]): Promise<CurlAnswer> =>
    await call(`/files/${fileId}/content`, ...args);

  it('is announced to HEAD', async () => {
    const answer = await content('--head');
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    expect(answer.headers).toMatchObject({
      'content-length': String(text.length),
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
    });
  });

  it.each([
    ['0-9', 0, 10],
    ['10-', 10, text.length],
    ['-5', text.length - 5, text.length],
    [`20-${text.length * 2}`, 20, text.length],
  ])('is sent in part for the range %s', async (range, start, end) => {
    const answer = await content('--range', range);
    expect([answer.status, answer.body.toString()]).toEqual([206, text.slice(start, end)]);
    expect(answer.headers['content-range']).toBe(`bytes ${start}-${end - 1}/${text.length}`);
    expect(answer.headers['content-length']).toBe(String(end - start));
  });

  it('is refused for a range behind its end', async () => {
    const answer = await content('--range', `${text.length}-`);
    expect([answer.status, answer.headers['content-range']]).toEqual([
      416,
      `bytes */${text.length}`,
    ]);
    expect(answer.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });

  it('is sent whole for ranges that are none, and is resumed by curl', async () => {
    for (const range of ['lines=1-2', 'bytes=9-1', 'bytes=0-1,3-4']) {
      const answer = await content('-H', `Range: ${range}`);
      expect([answer.status, answer.body.toString()]).toEqual([200, text]);
    }
    const resumed = await content('--continue-at', '100');
    expect([resumed.status, resumed.body.toString()]).toEqual([206, text.slice(100)]);
  });

  it('of a purpose that is only put in is kept', async () => {
    const { id } = (await upload('purpose=assistants', `file=@${path}`)).json() as { id: string };
    const answer = await call(`/files/${id}/content`);
    expect([answer.status, answer.json()]).toEqual([400, errorOnWire()]);
  });
});

describe('a list', () => {
  it.each([
    ['/files?limit=0', 200],
    ['/files?limit=10000&after=file-nobody', 200],
    ['/batches?limit=0&unknown=1', 200],
    ['/batches?limit=', 200],
  ])('answers %s with %i', async (query, status) => {
    expect((await call(query)).status).toBe(status);
  });

  it.each([
    ['/files?limit=1&limit=2', 'duplicate_parameter', 'limit'],
    ['/batches?after=a&after=b', 'duplicate_parameter', 'after'],
    ['/batches?limit=101', 'integer_above_max_value', 'limit'],
    ['/batches?limit=-1', 'integer_below_min_value', 'limit'],
    ['/files?limit=10001', 'integer_above_max_value', 'limit'],
    ['/files?limit=ten', 'invalid_type', 'limit'],
    ['/files?order=sideways', null, null],
  ])('refuses %s', async (query, code, param) => {
    const answer = await call(query);
    expect([answer.status, answer.json()]).toEqual([400, errorOnWire(code, param)]);
  });

  it('is empty after an id that names nothing', async () => {
    expect((await call('/batches?after=nothing')).json()).toEqual(listOnWire([], false));
    expect((await call('/files?after=nothing')).json()).toEqual(listOnWire([], false));
  });
});

describe('a route, a method or a type that is not ours', () => {
  it.each([
    ['GET', '/nothing', 404],
    ['GET', '/', 404],
    ['POST', '/chat/completions', 404],
    ['GET', '/uploads', 405],
    ['PUT', '/files', 405],
    ['DELETE', '/batches/batch_x', 405],
    ['PATCH', '/batches/batch_x/cancel', 405],
  ])('%s %s gets its status and the envelope', async (method, route, status) => {
    const answer = await call(route, '-X', method);
    expect([answer.status, answer.json()]).toEqual([status, errorOnWire()]);
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['x-request-id']).toMatch(/\S/);
  });

  it.each([
    ['/batches', 'text/plain'],
    ['/batches', 'application/x-www-form-urlencoded'],
    ['/files', 'application/json'],
    ['/uploads', 'multipart/form-data; boundary=x'],
  ])('POST %s as %s is 415', async (route, type) => {
    const answer = await call(route, '-H', `Content-Type: ${type}`, '--data', '{}');
    expect([answer.status, answer.json()]).toEqual([415, errorOnWire('unsupported_content_type')]);
  });
});

describe('a JSON body', () => {
  it.each([
    ['in chunks', ['-H', 'Transfer-Encoding: chunked']],
    ['by HTTP/1.0', ['--http1.0']],
    ['after 100 Continue', ['-H', 'Expect: 100-continue']],
    ['with a charset and unknown fields', ['-H', 'Content-Type: application/json; charset=utf-8']],
  ])('may be sent %s', async (_, args) => {
    const body = JSON.stringify({ ...batchRequest(), priority: 'low' }, null, 2);
    const type = ['-H', 'Content-Type: application/json'];
    const all = args.join().includes('Content-Type') ? args : [...type, ...args];
    expect(await endOf(await call('/batches', ...all, '--data', body))).toBe('completed');
  });

  it.each(['{"a":', '', '[]', '"text"', 'null', '\u{feff}{}'])('is not %j', async (body) => {
    const answer = await call('/batches', '-H', 'Content-Type: application/json', '--data', body);
    expect(answer.status).toBe(400);
    expect(answer.json()).toMatchObject({ error: { type: 'invalid_request_error' } });
  });

  it('may have null for what is optional', async () => {
    const body = { ...batchRequest(), metadata: null, output_expires_after: null };
    expect(await endOf(await call('/batches', ...withJson(body)))).toBe('completed');
  });

  it('is not wanted by cancel, whatever its type', async () => {
    const { id } = await createBatch(
      clientOf(stack()),
      chatLines(200, () => '[[slow:500]]'),
    );
    for (const args of [
      ['-X', 'POST'],
      ['-H', 'Content-Type: application/json', '-X', 'POST'],
      ['-H', 'Content-Type: application/json', '--data', ''],
      ['-H', 'Content-Type: application/json', '--data', '{}'],
    ]) {
      const answer = await call(`/batches/${id}/cancel`, ...args);
      expect(answer.status).toBe(200);
      expect((answer.json() as { status: string }).status).toMatch(/^cancell(ing|ed)$/);
    }
  });
});

describe('a final conflict', () => {
  it('says that it is not to be repeated', async () => {
    const { id } = await createBatch(clientOf(stack()), chatLines(1));
    await waitForEnd(clientOf(stack()), id);
    const answer = await call(`/batches/${id}/cancel`, '-X', 'POST');
    expect([answer.status, answer.headers['x-should-retry']]).toEqual([409, 'false']);
    expect(answer.json()).toEqual({
      error: {
        message: "Cannot cancel a batch with status 'completed'.",
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
    });
  });
});

describe('byte by byte', () => {
  const request = (path: string, lines = ''): string =>
    `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${stack().apiKey}\r\n${lines}\r\n`;

  it('requests may follow one another without waiting, and are answered in order', async () => {
    const answers = await sendRaw(
      stack(),
      request('/v1/files/file-first') +
        request('/v1/models') +
        request('/v1/batches/batch_last', 'Connection: close\r\n'),
    );
    const statuses = Array.from(answers.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status);
    expect(statuses).toEqual(['404', '200', '404']);
    expect(answers.indexOf('file-first')).toBeLessThan(answers.indexOf('batch_last'));
  });

  it('a request of HTTP/1.0 needs no host, and its connection ends', async () => {
    const line = `GET /v1/models HTTP/1.0\r\nAuthorization: ${stack().apiKey}\r\n\r\n`;
    expect(await sendRaw(stack(), line)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*"object":"list"/);
  });

  it('what is no HTTP gets the envelope', async () => {
    const answer = await sendRaw(stack(), 'HELLO\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    expect(JSON.parse(body)).toEqual(errorOnWire());
  });
});
