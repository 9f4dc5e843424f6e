import type { ProjectLimits } from '../../../src/domain/project';
import { defaultProjectId } from '../../../src/domain/ids';
import { keysBelow } from '../../support/faulty-object-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { errorOf, startApi, testLimits, type Answer, type ApiUnderTest } from './api-under-test';
import {
  aBatch,
  create,
  createdAt,
  endpoint,
  ends,
  finalized,
  passed,
  refOf,
} from './batch-events';

const good = { input_file_id: `file-${'0'.repeat(32)}`, endpoint, completion_window: '24h' };

let store: MemoryObjectStore;
let api: ApiUnderTest;
afterEach(async () => {
  await api.close();
});

async function startWith(limits: Partial<ProjectLimits>): Promise<void> {
  store = new MemoryObjectStore();
  api = await startApi({ store, settings: { limits: { ...testLimits, ...limits } } });
}

function expectRefused(answer: Answer, code: string, message: string): void {
  expect([answer.status, answer.headers['x-should-retry']]).toEqual([429, 'false']);
  expect(errorOf(answer)).toEqual({ message, type: 'invalid_request_error', param: null, code });
}

const tooMany =
  'Batch limit reached: this project may have 2 unfinished batches at a time. Please try again once some in_progress batches have been completed.';

describe('the limit on unfinished batches', () => {
  test('refuses what is over it, and leaves nothing behind', async () => {
    await startWith({ openBatchesMax: 2 });
    const open = [await aBatch(api), await aBatch(api)];
    expectRefused(await create(api, good), 'batch_limit_exceeded', tooMany);
    expect(api.runner.started).toHaveLength(2);
    expect((await keysBelow(store, 'open/')).sort()).toEqual(
      open.map(({ batchId }) => `open/default/${batchId}`).sort(),
    );
    expect((await keysBelow(store, 'projects/')).filter((key) => key.includes('/uses/'))).toEqual(
      [],
    );
  });

  test('has room again when a batch has ended, before its marker is gone', async () => {
    await startWith({ openBatchesMax: 2 });
    const [first] = [await aBatch(api), await aBatch(api)];
    for (const event of [passed, ends('completed'), finalized('completed')]) {
      await api.batches.apply(first, event);
    }
    expect((await create(api, good)).status).toBe(200);
    expectRefused(await create(api, good), 'batch_limit_exceeded', tooMany);
  });

  test('holds for creates that come at once', async () => {
    await startWith({ openBatchesMax: 2 });
    const answers = await Promise.all(
      Array.from({ length: 9 }, async () => await create(api, good)),
    );
    const created = answers.filter(({ status }) => status === 200);
    expect(created.length).toBeLessThanOrEqual(2);
    expect(await keysBelow(store, 'open/')).toHaveLength(created.length);
  });

  test('is the project’s own, where that has one', async () => {
    await startWith({ openBatchesMax: 1 });
    await api.projects.update(defaultProjectId, () => ({
      id: defaultProjectId,
      createdAt,
      limits: { openBatchesMax: 2 },
      emails: [],
    }));
    await aBatch(api);
    expect((await create(api, good)).status).toBe(200);
    expectRefused(await create(api, good), 'batch_limit_exceeded', tooMany);
  });

  test('keeps the markers of a batch that an earlier attempt may have started', async () => {
    await startWith({ openBatchesMax: 2 });
    await aBatch(api);
    api.runner.isMute = true;
    const headers = { 'idempotency-key': 'k' };
    expect((await create(api, good, headers)).status).toBe(503);
    api.runner.isMute = false;
    await api.projects.update(defaultProjectId, () => ({
      id: defaultProjectId,
      createdAt,
      limits: { openBatchesMax: 1 },
      emails: [],
    }));
    expect((await create(api, good, headers)).status).toBe(429);
    expect(await keysBelow(store, 'open/')).toHaveLength(2);
  });
});

describe('creates that were refused under a name', () => {
  const named = async (key: string): Promise<Answer> =>
    await create(api, good, { 'idempotency-key': key });

  test('do not stand in the way of others', async () => {
    await startWith({ openBatchesMax: 1 });
    const first = await aBatch(api);
    expect((await named('a')).status).toBe(429);
    for (const event of [passed, ends('completed'), finalized('completed')]) {
      await api.batches.apply(first, event);
    }
    expect((await named('b')).status).toBe(200);
    expect((await named('a')).status).toBe(429);
  });

  test('are not accepted beyond the limit when they are repeated at once, much later', async () => {
    await startWith({ openBatchesMax: 1 });
    const first = await aBatch(api);
    const names = Array.from({ length: 6 }, (_, number) => `k${number}`);
    for (const name of names) {
      expect((await named(name)).status).toBe(429);
    }
    for (const event of [passed, ends('completed'), finalized('completed')]) {
      await api.batches.apply(first, event);
    }
    api.clock.nowMs += 600_000;
    await Promise.all(names.map(named));
    for (const name of names) {
      await named(name);
    }
    expect(new Set(api.runner.started.map(({ batch }) => batch.id)).size).toBe(2);
  });
});

describe('the limit on queued lines', () => {
  test('refuses while the unfinished batches hold as many', async () => {
    await startWith({ queuedLinesMax: 15 });
    const [first, second] = [await aBatch(api), await aBatch(api)];
    await api.batches.apply(first, passed);
    expect((await create(api, good)).status).toBe(200);
    await api.batches.apply(second, passed);
    expectRefused(
      await create(api, good),
      'queued_lines_limit_exceeded',
      'Queued request limit reached: the unfinished batches of this project hold 20 requests. Limit: 15 queued requests. Please try again once some in_progress batches have been completed.',
    );
    for (const event of [ends('completed'), finalized('completed')]) {
      await api.batches.apply(first, event);
    }
    expect((await create(api, good)).status).toBe(200);
  });
});

describe('the limit on running batches', () => {
  test.each([null, 3])('goes into the workflow: %j', async (runningBatchesMax) => {
    await startWith({ runningBatchesMax });
    const { batchId } = refOf((await aBatch(api)).batchId);
    const [started] = api.runner.started;
    expect(started?.batch.id).toBe(batchId);
    expect(started?.runningBatchesMax).toBe(runningBatchesMax ?? undefined);
  });
});
