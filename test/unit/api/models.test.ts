import type OpenAI from 'openai';
import { toModelWire } from '../../../src/api/models/model.wire';
import { errorOf, send, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.close();
});

test('the models are those of the upstreams', async () => {
  const page = await api.client.models.list();
  expect(page.data.map((model) => model.id)).toEqual([
    'small',
    'meta-llama/Llama-3.1-8B',
    'ft:small:acme::1',
  ]);
});

test.each(['small', 'meta-llama/Llama-3.1-8B', 'ft:small:acme::1'])(
  'the model %s is found, with its slashes encoded or not',
  async (id) => {
    const model: OpenAI.Model = toModelWire(id);
    expect(await api.client.models.retrieve(id)).toEqual(model);
    expect((await send(api.url, { path: `/v1/models/${id}` })).json()).toEqual(model);
  },
);

test.each([
  ['meta-llama%2FLlama-3.1-8B', 'meta-llama/Llama-3.1-8B'],
  ['meta%2Dllama/Llama%2d3.1-8B', 'meta-llama/Llama-3.1-8B'],
  ['ft%3Asmall%3Aacme%3A%3A1', 'ft:small:acme::1'],
  ['ft%3asmall:acme::1', 'ft:small:acme::1'],
  ['small?x=/1', 'small'],
])('the path %s is that of %s', async (path, id) => {
  expect((await send(api.url, { path: `/v1/models/${path}` })).json()).toEqual(toModelWire(id));
});

test.each([
  ['small%2F', 'small/'],
  ['small%20', 'small '],
  ['small%252F', 'small%2F'],
  ['SMALL', 'SMALL'],
  ['meta-llama%2F%2FLlama-3.1-8B', 'meta-llama//Llama-3.1-8B'],
  ['__proto__', '__proto__'],
  ['constructor', 'constructor'],
  ['%2e%2e%2fsmall', '../small'],
])('the path %s is that of no model', async (path, id) => {
  const answer = await send(api.url, { path: `/v1/models/${path}` });
  expect([answer.status, errorOf(answer).message]).toEqual([
    404,
    `The model '${id}' does not exist`,
  ]);
});

test('a broken percent-encoding is refused', async () => {
  const answer = await send(api.url, { path: '/v1/models/sm%all' });
  expect([answer.status, errorOf(answer).message]).toEqual([
    400,
    'Invalid URL (GET /v1/models/sm%all)',
  ]);
});

test('a slash at the end changes nothing', async () => {
  const [list, slashed] = await Promise.all(
    ['/v1/models', '/v1/models/'].map(async (path) => await send(api.url, { path })),
  );
  expect(slashed?.text).toBe(list?.text);
  expect((await send(api.url, { path: '/v1/models/small/' })).status).toBe(200);
});

test.each(['large', 'meta-llama', 'meta-llama/Llama-3.1-8B/x'])(
  'the model %s does not exist',
  async (id) => {
    const answer = await send(api.url, { path: `/v1/models/${id}` });
    expect(answer.status).toBe(404);
    expect(errorOf(answer)).toEqual({
      message: `The model '${id}' does not exist`,
      type: 'invalid_request_error',
      param: 'model',
      code: 'model_not_found',
    });
  },
);
