import type OpenAI from 'openai';
import { toBatchWire } from '../../../src/api/batches/batch.wire';
import { isBatchId } from '../../../src/domain/ids';
import { noUsage } from '../../../src/domain/usage';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { emptyList, errorOf, send, startApi, type ApiUnderTest } from './api-under-test';
import { aBatch, createdAt, ends, finalized, invalid, passed } from './batch-events';
import { withoutNulls } from './without-nulls';

let store: MemoryObjectStore;
let api: ApiUnderTest;
beforeEach(async () => {
  store = new MemoryObjectStore();
  api = await startApi({ store });
});
afterEach(async () => {
  await api.close();
});

describe('a batch', () => {
  test('shows live counts, never above its total', async () => {
    const ref = await aBatch(api);
    await api.batches.putProgress(ref, 'w1', { 0: [1, 3, 1] });
    expect((await api.client.batches.retrieve(ref.batchId)).request_counts).toEqual({
      total: 0,
      completed: 0,
      failed: 0,
    });
    await api.batches.apply(ref, passed);
    await api.batches.putProgress(ref, 'w2', { 0: [2, 4, 1], 1: [1, 2, 0] });
    api.clock.nowMs += 1_001;
    const running = await api.client.batches.retrieve(ref.batchId);
    expect(running).toMatchObject({
      status: 'in_progress',
      model: 'small',
      in_progress_at: createdAt + 1,
      request_counts: { total: 10, completed: 6, failed: 1 },
    });
    await api.batches.putProgress(ref, 'w2', { 0: [2, 4, 1], 1: [1, 5, 4] });
    api.clock.nowMs += 1_001;
    expect((await api.client.batches.retrieve(ref.batchId)).request_counts).toEqual({
      total: 10,
      completed: 9,
      failed: 1,
    });
  });

  test('looks for counts once a second, however often it is asked for', async () => {
    const ref = await aBatch(api);
    await api.batches.apply(ref, passed);
    const looks = jest.spyOn(api.batches, 'liveProgress');
    const retrieve = async (): Promise<unknown> => await api.client.batches.retrieve(ref.batchId);
    await Promise.all([retrieve(), retrieve(), retrieve()]);
    api.clock.nowMs += 999;
    await retrieve();
    expect(looks).toHaveBeenCalledTimes(1);
    api.clock.nowMs += 2;
    await retrieve();
    expect(looks).toHaveBeenCalledTimes(2);
  });

  test('shows the tokens of the answers so far', async () => {
    const ref = await aBatch(api);
    await api.batches.apply(ref, passed);
    expect((await api.client.batches.retrieve(ref.batchId)).usage).toBeNull();
    const usage = { ...noUsage, inputTokens: 5, outputTokens: 2, totalTokens: 7 };
    await api.batches.putProgress(ref, 'w1', { 0: [1, 3, 1, usage], 1: [1, 2, 0, usage] });
    api.clock.nowMs += 1_001;
    expect((await api.client.batches.retrieve(ref.batchId)).usage).toEqual({
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 4,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 14,
    });
  });

  test.each([
    ['completed', 'finalizing'],
    ['expired', 'finalizing'],
    ['cancelled', 'cancelling'],
  ] as const)('that ends as %s is %s before its workflow says so', async (reason, status) => {
    const ref = await aBatch(api);
    await api.batches.apply(ref, passed);
    await api.batches.decideEnd(ref, { reason, at: createdAt + 5 });
    expect(await api.client.batches.retrieve(ref.batchId)).toMatchObject({
      status,
      [`${status}_at`]: createdAt + 5,
    });
    expect((await api.batches.get(ref))?.status).toBe('in_progress');
  });

  test('that is done shows its result, whatever the progress said', async () => {
    const ref = await aBatch(api);
    for (const event of [passed, ends('completed'), finalized('completed')]) {
      await api.batches.apply(ref, event);
    }
    await api.batches.putProgress(ref, 'w1', { 0: [1, 1, 0] });
    expect(await api.client.batches.retrieve(ref.batchId)).toMatchObject({
      status: 'completed',
      completed_at: createdAt + 4,
      output_file_id: 'file-out',
      error_file_id: null,
      errors: null,
      request_counts: { total: 10, completed: 10, failed: 0 },
      usage: {
        input_tokens: 5,
        input_tokens_details: { cached_tokens: 1 },
        output_tokens: 7,
        output_tokens_details: { reasoning_tokens: 2 },
        total_tokens: 12,
      },
    });
  });

  test('tells its cost where there is one, and else has no such member', async () => {
    const ref = await aBatch(api);
    expect(await api.client.batches.retrieve(ref.batchId)).not.toHaveProperty('longhaul_cost');
    const event = finalized('completed');
    const cost = { currency: 'eur', amount: 0.25 };
    await api.batches.apply(ref, passed);
    await api.batches.apply(ref, ends('completed'));
    await api.batches.apply(
      ref,
      event.type === 'finalized' ? { ...event, result: { ...event.result, cost } } : event,
    );
    expect(await api.client.batches.retrieve(ref.batchId)).toMatchObject({
      status: 'completed',
      longhaul_cost: cost,
    });
  });

  test('that did not validate says why', async () => {
    const ref = await aBatch(api);
    await api.batches.apply(ref, invalid);
    expect(await api.client.batches.retrieve(ref.batchId)).toMatchObject({
      status: 'failed',
      failed_at: createdAt + 2,
      errors: {
        object: 'list',
        data: [{ code: 'invalid_json_line', message: 'no', param: null, line: 3 }],
      },
    });
  });

  test('is read while the engine is down', async () => {
    const ref = await aBatch(api);
    api.runner.down = true;
    expect((await api.client.batches.retrieve(ref.batchId)).status).toBe('validating');
  });

  test.each(['batch_x', `batch_${'0'.repeat(32)}`, 'file-1'])(
    'named %s is not found',
    async (id) => {
      for (const [method, path] of [
        ['GET', `/v1/batches/${id}`],
        ['POST', `/v1/batches/${id}/cancel`],
      ] as const) {
        const answer = await send(api.url, { method, path });
        expect(answer.status).toBe(404);
        expect(errorOf(answer)).toEqual({
          message: `No batch found with id '${id}'.`,
          type: 'invalid_request_error',
          param: null,
          code: null,
        });
      }
    },
  );

  test('has the wire object that the official types say', async () => {
    const ref = await aBatch(api);
    for (const event of [passed, ends('completed'), finalized('completed')]) {
      await api.batches.apply(ref, event);
    }
    const record = await api.batches.get(ref);
    const oracle: OpenAI.Batches.Batch | undefined = record && withoutNulls(toBatchWire(record));
    expect(oracle?.status).toBe('completed');
  });
});

describe('the list', () => {
  test('is newest first, in pages', async () => {
    const newest: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      newest.unshift((await aBatch(api)).batchId);
    }
    const all: string[] = [];
    for await (const batch of api.client.batches.list({ limit: 2 })) {
      all.push(batch.id);
    }
    expect(all).toEqual(newest);
    const page = await api.client.batches.list({ limit: 5 });
    expect(page.has_more).toBe(false);
  });

  test('shows views, and no batch without a record', async () => {
    const kept = [await aBatch(api), await aBatch(api), await aBatch(api)].reverse();
    const gone = await aBatch(api);
    await store.delete([`projects/default/batches/${gone.batchId}/record.json`]);
    await api.batches.decideEnd(gone, { reason: 'cancelled', at: 1 });
    const [newest] = kept;
    await api.client.batches.cancel(newest?.batchId ?? '');
    const answer = await send(api.url, { path: '/v1/batches?limit=2' });
    expect(answer.json()).toMatchObject({
      object: 'list',
      data: [
        { id: newest?.batchId, status: 'cancelling' },
        { id: kept[1]?.batchId, status: 'validating' },
      ],
      first_id: newest?.batchId,
      last_id: kept[1]?.batchId,
      has_more: true,
    });
  });

  test('is empty behind the last batch and behind what is no batch', async () => {
    const ref = await aBatch(api);
    expect(isBatchId(ref.batchId)).toBe(true);
    const unknown = ['nonsense', `batch_${'f'.repeat(32)}`, `batch_${'0'.repeat(32)}`, 'batch_'];
    for (const after of [ref.batchId, ...unknown, `${ref.batchId}0`, ref.batchId.toUpperCase()]) {
      const answer = await send(api.url, { path: `/v1/batches?after=${after}` });
      expect(answer.json()).toEqual(emptyList);
    }
  });

  test.each([
    ['limit=0', 3],
    ['limit=', 3],
    ['after=', 3],
    ['limit=1', 1],
    ['limit=100', 3],
    ['limit=2&order=asc&unknown=1', 2],
  ])('with ?%s has %i batches', async (query, count) => {
    await aBatch(api);
    await aBatch(api);
    await aBatch(api);
    const answer = await send(api.url, { path: `/v1/batches?${query}` });
    expect((answer.json() as { data: unknown[] }).data).toHaveLength(count);
  });

  test.each([
    [
      'limit=-1',
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got -1 instead.",
    ],
    ['limit=abc', "Invalid type for 'limit': expected an integer, but got a string instead."],
    [
      'limit=101',
      "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
    ],
    ['limit=1.5', "Invalid type for 'limit': expected an integer, but got a string instead."],
    ['after=a&after=b', "Duplicate parameter: 'after'. You may only provide this parameter once."],
  ])('refuses ?%s', async (query, message) => {
    const answer = await send(api.url, { path: `/v1/batches?${query}` });
    expect([answer.status, errorOf(answer).message]).toEqual([400, message]);
  });
});
