/** What an operator may set changes what a create accepts. */
import { create, endpoint } from './batch-events';
import { errorOf, startApi, type ApiUnderTest } from './api-under-test';

let api: ApiUnderTest;
afterEach(async () => {
  await api.close();
});

describe('where unknown input files are refused', () => {
  beforeEach(async () => {
    api = await startApi({ settings: { unknownInputFile: 'refuse' } });
  });

  test.each(['file-nothing', `file-${'0'.repeat(32)}`])('%s is not found', async (inputFileId) => {
    const answer = await create(api, {
      input_file_id: inputFileId,
      endpoint,
      completion_window: '24h',
    });
    expect(answer.status).toBe(404);
    expect(errorOf(answer)).toMatchObject({
      message: `No such File object: ${inputFileId}`,
      param: 'input_file_id',
      code: null,
    });
    expect(api.runner.started).toEqual([]);
  });

  test('one with another purpose is refused, and one with the right purpose is not', async () => {
    const upload = async (purpose: 'batch' | 'vision'): Promise<string> => {
      const file = new File(['{}\n'], 'a.jsonl');
      return (await api.client.files.create({ file, purpose })).id;
    };
    const rest = { endpoint, completion_window: '24h' };
    const wrong = await create(api, { input_file_id: await upload('vision'), ...rest });
    expect(wrong.status).toBe(400);
    expect(errorOf(wrong)).toMatchObject({ param: 'input_file_id', code: 'invalid_value' });
    const right = await create(api, { input_file_id: await upload('batch'), ...rest });
    expect(right.status).toBe(200);
  });
});

test.each([
  ['http://example.com/', 'invalid_value'],
  ['https://user:secret@example.com/', 'invalid_value'],
  ['https://user@example.com/', 'invalid_value'],
  ['/relative', 'invalid_value'],
  ['https://', 'invalid_value'],
  ['ftp://example.com/', 'invalid_value'],
  ['', 'invalid_value'],
  [`https://example.com/${'x'.repeat(2_048)}`, 'string_above_max_length'],
  [['https://example.com/'], 'invalid_type'],
])('the webhook address %j is refused', async (url, code) => {
  api = await startApi();
  const good = { input_file_id: 'file-1', endpoint, completion_window: '24h' };
  const answer = await create(api, { ...good, webhook_url: url });
  expect(answer.status).toBe(400);
  expect(errorOf(answer)).toMatchObject({ param: 'webhook_url', code });
  expect(answer.text).not.toContain('secret');
});

test('a webhook may be plain http where private receivers are allowed', async () => {
  api = await startApi({ settings: { webhookAllowedNetworks: ['10.0.0.0/8'] } });
  const good = { input_file_id: 'file-1', endpoint, completion_window: '24h' };
  expect((await create(api, { ...good, webhook_url: 'http://10.0.0.1/hook' })).status).toBe(200);
  const refused = [
    ['http://user@10.0.0.1/', 'it must not contain a user name or a password'],
    ['ftp://10.0.0.1/', 'it has to begin with https://'],
    ['https://127.0.0.1/', 'its address is not a public one'],
  ] as const;
  for (const [url, problem] of refused) {
    expect(errorOf(await create(api, { ...good, webhook_url: url })).message).toBe(
      `Invalid 'webhook_url': ${problem}.`,
    );
  }
});

test('the endpoints are those that some upstream serves', async () => {
  api = await startApi({ endpoints: ['/v1/embeddings', '/v1/rerank'] });
  const rest = { input_file_id: 'file-1', completion_window: '24h' };
  const refused = await create(api, { ...rest, endpoint });
  expect(errorOf(refused).message).toBe(
    "Invalid value: '/v1/chat/completions'. Supported values are: '/v1/embeddings' and '/v1/rerank'.",
  );
  expect((await create(api, { ...rest, endpoint: '/v1/rerank' })).status).toBe(200);
});
