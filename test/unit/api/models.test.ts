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
