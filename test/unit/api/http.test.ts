import { connect } from 'node:net';
import { apiKey, errorOf, send, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.close();
});

/** What the server answers to bytes that no HTTP client would send. */
async function sendBytes(bytes: string): Promise<string> {
  const { hostname, port } = new URL(api.url);
  return await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => {
      resolve(answer);
    });
  });
}

test('health needs no key', async () => {
  const answer = await send(api.url, { path: '/healthz', headers: { authorization: '' } });
  expect([answer.status, answer.json()]).toEqual([200, { status: 'ok' }]);
  expect(answer.headers['x-request-id']).toMatch(/^req_/);
});

describe('the key', () => {
  test.each(['', 'Bearer', 'Bearer  ', 'bearer'])('is missing in "%s"', async (authorization) => {
    const answer = await send(api.url, { path: '/v1/models', headers: { authorization } });
    expect(answer.status).toBe(401);
    expect(errorOf(answer)).toEqual({
      message: expect.stringMatching(
        /^You didn't provide an API key\. You need to provide your API key in an Authorization header using Bearer auth \(i\.e\. Authorization: Bearer YOUR_KEY\)/,
      ),
      type: 'invalid_request_error',
      param: null,
      code: null,
    });
  });

  test.each([
    ['Bearer sk-wrong-0123456789', 'sk-***6789'],
    ['Bearer short', '***'],
    ['Basic c2VjcmV0OnNlY3JldA==', 'Bas***dA=='],
    [`Bearer ${apiKey}0`, 'sk-***def0'],
  ])('is refused when it is "%s"', async (authorization, shown) => {
    const answer = await send(api.url, { path: '/v1/models', headers: { authorization } });
    expect(answer.status).toBe(401);
    const error = errorOf(answer);
    expect(error.code).toBe('invalid_api_key');
    expect(error.message.startsWith(`Incorrect API key provided: ${shown}. `)).toBe(true);
  });

  test('is accepted with and without the word Bearer', async () => {
    for (const authorization of [`Bearer ${apiKey}`, `bearer ${apiKey}`, apiKey]) {
      const answer = await send(api.url, { path: '/v1/nothing', headers: { authorization } });
      expect(answer.status).toBe(404);
    }
  });

  test('is checked before the body is read', async () => {
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: { authorization: 'Bearer wrong', expect: '100-continue', 'content-length': '1' },
      body: 'x',
    });
    expect(answer.status).toBe(401);
  });
});

describe('an answer', () => {
  test('has an id of its own', async () => {
    const answers = await Promise.all(
      [1, 2].map(async () => await send(api.url, { path: '/healthz' })),
    );
    expect(new Set(answers.map((answer) => answer.headers['x-request-id'])).size).toBe(2);
  });

  test('refuses a client request id that is too long or not ASCII', async () => {
    for (const id of ['a'.repeat(513), 'caf\u{e9}']) {
      const answer = await send(api.url, {
        path: '/healthz',
        headers: { 'x-client-request-id': id },
      });
      expect(answer.status).toBe(400);
      expect(errorOf(answer).message).toMatch(/X-Client-Request-Id/);
    }
    const fine = { 'x-client-request-id': 'a'.repeat(512) };
    expect((await send(api.url, { path: '/healthz', headers: fine })).status).toBe(200);
  });
});

describe('a URL that does not exist', () => {
  test.each([
    ['POST', '/v1/xyz?secret=1', 'Invalid URL (POST /v1/xyz)'],
    ['GET', '/', 'Invalid URL (GET /)'],
    ['GET', '/v1/files/a/b', 'Invalid URL (GET /v1/files/a/b)'],
    ['PROPFIND', '/v1', 'Invalid URL (PROPFIND /v1)'],
    ['GET', '/v1/files/%zz', 'Invalid URL (GET /v1/files/%zz)'],
    ['GET', '/v1/batches/%ff', 'Invalid URL (GET /v1/batches/%ff)'],
  ])('%s %s', async (method, path, message) => {
    const answer = await send(api.url, { method, path });
    expect(answer.status).toBe(path.includes('%') ? 400 : 404);
    expect(errorOf(answer)).toEqual({
      message,
      type: 'invalid_request_error',
      param: null,
      code: null,
    });
  });

  test('is not repeated at full length', async () => {
    const answer = await send(api.url, { path: `/v1/${'x'.repeat(10_000)}` });
    expect(answer.status).toBe(404);
    expect(errorOf(answer).message.length).toBeLessThan(300);
  });
});

test.each([
  ['PUT', '/v1/files', 'GET, HEAD, POST'],
  ['POST', '/v1/files/file-1', 'GET, HEAD, DELETE'],
  ['DELETE', '/v1/files/file-1/content', 'GET, HEAD'],
  ['DELETE', '/v1/batches', 'GET, HEAD, POST'],
  ['DELETE', '/v1/batches/batch_1', 'GET, HEAD'],
  ['GET', '/v1/batches/batch_1/cancel', 'POST'],
  ['POST', '/v1/models', 'GET, HEAD'],
  ['DELETE', '/v1/models/a/b', 'GET, HEAD'],
  ['POST', '/healthz', 'GET, HEAD'],
])('%s %s is not allowed', async (method, path, allow) => {
  const answer = await send(api.url, { method, path });
  expect([answer.status, answer.headers.allow]).toEqual([405, allow]);
  expect(errorOf(answer).message).toBe(`Invalid method for URL (${method} ${path})`);
});

describe('bytes that are no HTTP request', () => {
  test.each([
    ['nonsense\r\n\r\n', '400 Bad Request'],
    ['GET / HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n', '400 Bad Request'],
    [
      `GET / HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(70_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
  ])('get an envelope, case %#', async (bytes, status) => {
    const [head = '', body = ''] = (await sendBytes(bytes)).split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status}`);
    expect(head).toMatch(/x-request-id: req_[0-9a-f]{32}/);
    expect(JSON.parse(body)).toEqual({
      error: expect.objectContaining({ type: 'invalid_request_error', param: null, code: null }),
    });
  });

  test('get one for a target that is no URL', async () => {
    const bytes = 'POST http://[/v1/files HTTP/1.1\r\nConnection: close\r\n\r\n';
    const [head = '', body = ''] = (await sendBytes(bytes)).split('\r\n\r\n');
    expect(head).toContain('HTTP/1.1 400 Bad Request');
    expect(head).toMatch(/x-request-id: req_[0-9a-f]{32}/);
    expect(JSON.parse(body)).toMatchObject({
      error: { message: 'Invalid URL (POST http://[/v1/files)' },
    });
  });

  test('may expect what nobody knows', async () => {
    const bytes = 'GET /healthz HTTP/1.1\r\nExpect: tea\r\nConnection: close\r\n\r\n';
    expect(await sendBytes(bytes)).toContain('{"status":"ok"}');
  });

  test('do without a Host header', async () => {
    expect(await sendBytes('GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n')).toContain(
      '{"status":"ok"}',
    );
  });
});
