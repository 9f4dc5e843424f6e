/** The API below other prefixes than `/v1`, for clients of services that have it there. */
import OpenAI from 'openai';
import { apiKey, errorOf, send, startApi, type ApiUnderTest } from './api-under-test';
import { filePart, batchPurpose, multipart, multipartType } from './multipart';

const prefixes = ['/v1/openai', '/inference-api/openai/v1', '/inference-api'];

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ settings: { pathPrefixes: prefixes } });
});
afterAll(async () => {
  await api.close();
});

/** Without a comparison with the OpenAPI document, which has one prefix. */
async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = { authorization: apiKey, ...multipartType };
  return await fetch(`${api.url}${path}`, { headers, ...init });
}

describe.each(['/v1', ...prefixes])('below %s', (prefix) => {
  test.each(['', '/'])(
    'the official client works, with a base URL that ends with "%s"',
    async (end) => {
      const client = new OpenAI({ apiKey, baseURL: `${api.url}${prefix}${end}`, maxRetries: 0 });
      const file = await client.files.create({
        file: new File(['{}'], 'a.jsonl'),
        purpose: 'batch',
      });
      expect(await (await client.files.content(file.id)).text()).toBe('{}');
      const batch = await client.batches.create({
        input_file_id: file.id,
        endpoint: '/v1/chat/completions',
        completion_window: '24h',
      });
      expect((await client.batches.cancel(batch.id)).status).toBe('cancelling');
      expect((await client.batches.list({ limit: 1 })).data).toMatchObject([{ id: batch.id }]);
      const models = await client.models.list();
      for (const { id } of models.data) {
        expect((await client.models.retrieve(id)).id).toBe(id);
      }
      await client.files.delete(file.id);
    },
  );

  test('slashes that a base URL doubles are overlooked', async () => {
    for (const path of [`${prefix}//models`, `/${prefix}/models`, `${prefix}///models?a=b`]) {
      expect([path, (await ask(path)).status]).toEqual([path, 200]);
    }
    const body = multipart([filePart('{}'), batchPurpose]);
    const uploaded = await ask(`${prefix}//files`, { method: 'POST', body: new Uint8Array(body) });
    expect(uploaded.status).toBe(200);
  });

  test('errors name the path that was asked for', async () => {
    const missing = await send(api.url, { path: `${prefix}/nothing?secret=1` });
    expect([missing.status, errorOf(missing).message]).toEqual([
      404,
      `Invalid URL (GET ${prefix}/nothing)`,
    ]);
    const wrong = await send(api.url, { method: 'PUT', path: `${prefix}/batches` });
    expect([wrong.status, wrong.headers.allow, errorOf(wrong).message]).toEqual([
      405,
      'GET, HEAD, POST',
      `Invalid method for URL (PUT ${prefix}/batches)`,
    ]);
  });

  test('a key is wanted', async () => {
    const answer = await send(api.url, {
      path: `${prefix}/models`,
      headers: { authorization: '' },
    });
    expect([answer.status, errorOf(answer).type]).toEqual([401, 'invalid_request_error']);
  });
});

test.each([
  '/v1/openaix/models',
  '/v2/models',
  '/inference-api/openai/models',
  '/V1/openai/x',
  '/',
])('nothing is found below %s', async (path) => {
  expect((await send(api.url, { path })).status).toBe(404);
});

test('health is where it is', async () => {
  expect((await send(api.url, { path: '/healthz', headers: {} })).status).toBe(200);
  expect((await send(api.url, { path: '/v1/openai/healthz' })).status).toBe(404);
});
