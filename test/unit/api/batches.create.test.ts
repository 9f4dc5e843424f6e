import { newBatchRecord } from '../../../src/domain/batch';
import { defaultProjectId, type BatchId } from '../../../src/domain/ids';
import { fileKeys } from '../../../src/domain/object-keys';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { errorOf, send, startApi, type ApiUnderTest } from './api-under-test';
import { anInputFile, create, createdAt, endpoint, refOf } from './batch-events';

let store: MemoryObjectStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new MemoryObjectStore();
  api = await startApi({ store });
});
afterEach(async () => {
  await api.close();
});

describe('a new batch', () => {
  test('is validating, has every field, and is started with all that it needs', async () => {
    const inputFileId = await anInputFile(api);
    const batch = await api.client.batches.create({
      input_file_id: inputFileId,
      endpoint,
      completion_window: '24h',
      metadata: { team: 'blue' },
      output_expires_after: { anchor: 'created_at', seconds: 3_600 },
    });
    expect(batch).toEqual({
      id: expect.stringMatching(/^batch_[0-9a-f]{32}$/),
      object: 'batch',
      endpoint,
      model: null,
      errors: null,
      input_file_id: inputFileId,
      completion_window: '24h',
      status: 'validating',
      output_file_id: null,
      error_file_id: null,
      created_at: createdAt,
      in_progress_at: null,
      expires_at: createdAt + 86_400,
      finalizing_at: null,
      completed_at: null,
      failed_at: null,
      expired_at: null,
      cancelling_at: null,
      cancelled_at: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
      usage: null,
      metadata: { team: 'blue' },
    });
    expect(await api.client.batches.retrieve(batch.id)).toEqual(batch);
    const [started] = api.runner.started;
    expect(started).toMatchObject({
      taskQueuePrefix: 'test',
      batch: { id: batch.id, inputFileId, outputExpiresAfterSeconds: 3_600 },
    });
    expect(await api.batches.get(refOf(batch.id))).toEqual(
      started && newBatchRecord(started.batch),
    );
  });

  test('keeps its input file until it has ended', async () => {
    const inputFileId = await anInputFile(api);
    const batch = await api.client.batches.create({
      input_file_id: inputFileId,
      endpoint,
      completion_window: '24h',
    });
    const keys = fileKeys(defaultProjectId, inputFileId as `file-${string}`);
    expect(await store.head(keys.use(batch.id as BatchId))).toBeDefined();
    await api.client.files.delete(inputFileId);
    expect(await store.head(keys.content)).toBeDefined();
  });

  test.each(['file-nothing', `file-${'0'.repeat(32)}`, '../../etc', 'x'.repeat(128)])(
    'is created for the unknown file %s, to fail later',
    async (inputFileId) => {
      const answer = await create(api, {
        input_file_id: inputFileId,
        endpoint,
        completion_window: '24h',
      });
      expect([answer.status, answer.json()]).toMatchObject([
        200,
        { status: 'validating', input_file_id: inputFileId },
      ]);
      expect((await store.list('projects/default/files/')).items).toEqual([]);
    },
  );

  test('needs no anchor for the expiry of its results', async () => {
    const answer = await create(api, {
      input_file_id: 'file-1',
      endpoint,
      completion_window: '24h',
      output_expires_after: { seconds: 3_600 },
    });
    expect(answer.status).toBe(200);
    expect(api.runner.started.at(-1)?.batch.outputExpiresAfterSeconds).toBe(3_600);
  });

  test('may have other windows, null metadata, and fields that we do not know', async () => {
    const answer = await create(api, {
      input_file_id: 'file-1',
      endpoint,
      completion_window: '7d',
      metadata: null,
      output_expires_after: null,
      webhook_url: 'https://example.com/hook?for=me',
      override_settings: { any: 'thing' },
    });
    const started = api.runner.started.at(-1)?.batch;
    expect(started).not.toHaveProperty('webhookUrl');
    expect(await api.batches.get(refOf(started?.id ?? ''))).toMatchObject({
      webhookUrl: 'https://example.com/hook?for=me',
    });
    expect(answer.json()).toMatchObject({ metadata: null, expires_at: createdAt + 7 * 86_400 });
    expect(answer.json()).not.toHaveProperty('webhook_url');
  });

  test('is refused with 503 while the engine is down, and keeps its marker', async () => {
    const inputFileId = await anInputFile(api);
    api.runner.down = true;
    const answer = await create(api, {
      input_file_id: inputFileId,
      endpoint,
      completion_window: '24h',
    });
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    expect(errorOf(answer)).toMatchObject({ type: 'server_error', param: null, code: null });
    const uses = fileKeys(defaultProjectId, inputFileId as `file-${string}`).usesPrefix;
    expect((await store.list(uses)).items).toHaveLength(1);
    expect((await api.client.batches.list()).data).toEqual([]);
  });
});

describe('a bad create is refused:', () => {
  const good = { input_file_id: 'file-1', endpoint, completion_window: '24h' };
  const manyKeys = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v']));

  test.each<[string, unknown, { message: string; param: string | null; code: string }]>([
    [
      'nothing',
      '',
      {
        message: "Missing required parameter: 'input_file_id'.",
        param: 'input_file_id',
        code: 'missing_required_parameter',
      },
    ],
    [
      'no endpoint',
      { input_file_id: 'file-1', completion_window: '24h' },
      {
        message: "Missing required parameter: 'endpoint'.",
        param: 'endpoint',
        code: 'missing_required_parameter',
      },
    ],
    [
      'no window',
      { input_file_id: 'file-1', endpoint },
      {
        message: "Missing required parameter: 'completion_window'.",
        param: 'completion_window',
        code: 'missing_required_parameter',
      },
    ],
    [
      'null file',
      { ...good, input_file_id: null },
      {
        message: "Invalid type for 'input_file_id': expected a string, but got null instead.",
        param: 'input_file_id',
        code: 'invalid_type',
      },
    ],
    [
      'empty file id',
      { ...good, input_file_id: '' },
      {
        message:
          "Invalid 'input_file_id': empty string. Expected a string with minimum length 1, but got an empty string instead.",
        param: 'input_file_id',
        code: 'empty_string',
      },
    ],
    [
      'long file id',
      { ...good, input_file_id: 'x'.repeat(129) },
      {
        message:
          "Invalid 'input_file_id': string too long. Expected a string with maximum length 128, but got a string with length 129 instead.",
        param: 'input_file_id',
        code: 'string_above_max_length',
      },
    ],
    [
      'unknown endpoint',
      { ...good, endpoint: '/v1/invalid/endpoint' },
      {
        message:
          "Invalid value: '/v1/invalid/endpoint'. Supported values are: '/v1/chat/completions', '/v1/completions', and '/v1/embeddings'.",
        param: 'endpoint',
        code: 'invalid_value',
      },
    ],
    [
      'endpoint of another type',
      { ...good, endpoint: ['/v1/embeddings'] },
      {
        message: "Invalid type for 'endpoint': expected a string, but got an array instead.",
        param: 'endpoint',
        code: 'invalid_type',
      },
    ],
    [
      'wrong window',
      { ...good, completion_window: '1h' },
      {
        message: "Invalid value: '1h'. Supported values are: '24h' and '7d'.",
        param: 'completion_window',
        code: 'invalid_value',
      },
    ],
    [
      'empty window',
      { ...good, completion_window: '' },
      {
        message: "Invalid value: ''. Supported values are: '24h' and '7d'.",
        param: 'completion_window',
        code: 'invalid_value',
      },
    ],
    [
      'metadata of another type',
      { ...good, metadata: ['a'] },
      {
        message: "Invalid type for 'metadata': expected an object, but got an array instead.",
        param: 'metadata',
        code: 'invalid_type',
      },
    ],
    [
      'metadata value of another type',
      { ...good, metadata: { tags: ['a'] } },
      {
        message: "Invalid type for 'metadata.tags': expected a string, but got an array instead.",
        param: 'metadata.tags',
        code: 'invalid_type',
      },
    ],
    [
      'too much metadata',
      { ...good, metadata: manyKeys },
      {
        message:
          "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got an object with 17 properties instead.",
        param: 'metadata',
        code: 'object_above_max_properties',
      },
    ],
    [
      'long metadata key',
      { ...good, metadata: { ['k'.repeat(65)]: 'v' } },
      {
        message: `Invalid property name in 'metadata': '${'k'.repeat(65)}' is too long. Expected a string with maximum length 64, but got a string with length 65 instead.`,
        param: 'metadata',
        code: 'property_name_above_max_length',
      },
    ],
    [
      'long metadata value',
      { ...good, metadata: { k: 'v'.repeat(600) } },
      {
        message:
          "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, but got a string with length 600 instead.",
        param: 'metadata.k',
        code: 'string_above_max_length',
      },
    ],
    [
      'expiry without seconds',
      { ...good, output_expires_after: { anchor: 'created_at' } },
      {
        message: "Missing required parameter: 'output_expires_after.seconds'.",
        param: 'output_expires_after.seconds',
        code: 'missing_required_parameter',
      },
    ],
    [
      'expiry too late',
      { ...good, output_expires_after: { anchor: 'created_at', seconds: 2_592_001 } },
      {
        message:
          "Invalid 'output_expires_after.seconds': integer above maximum value. Expected a value <= 2592000, but got 2592001 instead.",
        param: 'output_expires_after.seconds',
        code: 'integer_above_max_value',
      },
    ],
    [
      'expiry in fractions',
      { ...good, output_expires_after: { anchor: 'created_at', seconds: 3_600.5 } },
      {
        message:
          "Invalid type for 'output_expires_after.seconds': expected an integer, but got a decimal number instead.",
        param: 'output_expires_after.seconds',
        code: 'invalid_type',
      },
    ],
    [
      'a body that is no object',
      [good],
      {
        message: 'Invalid type for the body: expected an object, but got an array instead.',
        param: null,
        code: 'invalid_type',
      },
    ],
  ])('%s', async (_case, body, details) => {
    const answer = await create(api, body);
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toEqual({ type: 'invalid_request_error', ...details });
    expect(api.runner.started).toEqual([]);
  });

  test('metadata that would change what an object is', async () => {
    const body = JSON.stringify({ ...good, metadata: { a: 'b' } });
    const answer = await create(api, body.replace('"a"', '"__proto__"'));
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param: 'metadata', code: 'invalid_value' });
  });

  test('other metadata survives as it is', async () => {
    const metadata = {
      constructor: 'a',
      '': '\0\n\u007f',
      'key\t': '\ud83d\ude00',
      half: '\ud83d',
    };
    const answer = await create(api, { ...good, metadata });
    const { id } = answer.json() as { id: string };
    expect((await api.client.batches.retrieve(id)).metadata).toEqual(metadata);
  });

  test('metadata at its limits is fine', async () => {
    const metadata = Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [`${index}`.padEnd(64, 'k'), 'v'.repeat(512)]),
    );
    expect((await create(api, { ...good, metadata })).json()).toMatchObject({ metadata });
  });

  test.each([
    '{"input_file_id": ',
    'input_file_id=file-1',
    '{} {}',
    Buffer.from([0x22, 0xff, 0x22]),
  ])('not JSON, case %#', async (body) => {
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/batches',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body,
    });
    expect(answer.status).toBe(400);
    const error = errorOf(answer);
    expect(error.message).toMatch(/^We could not parse the JSON body of your request\. /);
    expect([error.param, error.code]).toEqual([null, null]);
  });

  test.each([
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415],
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
  ])('sent as %j', async (headers, status) => {
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/batches',
      headers,
      body: JSON.stringify(good),
    });
    expect([answer.status, errorOf(answer).code]).toEqual([status, 'unsupported_content_type']);
  });

  test('too large', async () => {
    const answer = await create(api, { ...good, metadata: { k: 'v'.repeat(1_048_576) } });
    expect(answer.status).toBe(413);
    expect(errorOf(answer).message).toMatch(/too large. The maximum is 1048576 bytes/);
  });

  test('a long value is not repeated at full length', async () => {
    const answer = await create(api, { ...good, endpoint: 'x'.repeat(100_000) });
    expect(errorOf(answer).message.length).toBeLessThan(400);
  });
});
