import { ApplicationFailure } from '@temporalio/common';
import type { BatchId } from '../../../src/domain/ids';
import type { BatchRef, TakeTurnResult } from '../../../src/domain/workflow-contract';
import { ActivityWorld, endBatch } from '../../support/activity-world';
import { aBatchId, aNewBatch, projectId, startedAt } from '../../support/batches';

let world: ActivityWorld;
beforeEach(() => {
  world = new ActivityWorld();
});

const refOf = (batchId: BatchId): BatchRef => ({ projectId, batchId });

/** Batches from old to new, as they are while they wait. */
async function openBatches(count: number): Promise<BatchRef[]> {
  const refs = Array.from({ length: count }, (_, number) => refOf(aBatchId(number)));
  for (const { batchId } of refs) {
    const batch = aNewBatch({ id: batchId });
    await world.deps.batches.markOpen(batch);
    await world.deps.batches.create(batch);
  }
  return refs;
}

async function take(ref: BatchRef, runningBatchesMax: number): Promise<TakeTurnResult> {
  return await world.run(async (control) => await control.takeTurn({ ref, runningBatchesMax }));
}

async function turnsOf(refs: readonly BatchRef[], runningBatchesMax: number): Promise<string[]> {
  return await Promise.all(
    refs.map(async (ref) => {
      try {
        return (await take(ref, runningBatchesMax)).ended ? 'ended' : 'runs';
      } catch (error) {
        return error instanceof ApplicationFailure ? `waits ${error.nextRetryDelay}` : 'failed';
      }
    }),
  );
}

async function finish(ref: BatchRef): Promise<void> {
  await endBatch(world, ref, 'failed');
  await world.deps.batches.apply(ref, { type: 'validation_failed', at: startedAt, errors: [] });
}

test.each([
  [1, ['runs', 'waits 2000', 'waits 2000', 'waits 3000', 'waits 4000']],
  [2, ['runs', 'runs', 'waits 2000', 'waits 2000', 'waits 3000']],
  [5, ['runs', 'runs', 'runs', 'runs', 'runs']],
])('the %i oldest batches run, and those far behind look seldom', async (max, expected) => {
  expect(await turnsOf(await openBatches(5), max)).toEqual(expected);
});

test('a batch that has ended gives its turn to the next, before its marker is gone', async () => {
  const refs = await openBatches(3);
  await finish(refs[0] ?? refOf(aBatchId()));
  expect(await turnsOf(refs.slice(1), 1)).toEqual(['runs', 'waits 2000']);
});

test.each([
  ['a higher limit', { runningBatchesMax: 2 }, ['runs', 'runs', 'waits 2000']],
  ['a lower limit', { runningBatchesMax: 1 }, ['runs', 'waits 2000', 'waits 2000']],
  ['no limit', { runningBatchesMax: null }, ['runs', 'runs', 'runs']],
  ['no limit of its own', {}, ['runs', 'waits 2000', 'waits 2000']],
])('%s that the project gets meanwhile holds', async (_case, changed, expected) => {
  const refs = await openBatches(3);
  const record = { id: projectId, createdAt: startedAt, emails: [] };
  await world.deps.projects.update(projectId, () => ({ ...record, limits: changed }));
  expect(await turnsOf(refs, 'runningBatchesMax' in changed ? 3 : 1)).toEqual(expected);
});

test('a batch that never came to be takes no turn for long', async () => {
  await world.deps.batches.markOpen(aNewBatch({ id: aBatchId(0) }));
  await world.deps.batches.markOpen(aNewBatch({ id: aBatchId(1) }));
  await world.deps.batches.create(aNewBatch({ id: aBatchId(1) }));
  world.nowMs = startedAt * 1000 + 59_000;
  expect(await turnsOf([refOf(aBatchId(1))], 1)).toEqual(['waits 2000']);
  world.nowMs = startedAt * 1000 + 61_000;
  expect(await turnsOf([refOf(aBatchId(1))], 1)).toEqual(['runs']);
});

test('other projects do not count', async () => {
  const other = aNewBatch({ id: aBatchId(0), projectId: 'other' });
  await world.deps.batches.markOpen(other);
  await world.deps.batches.create(other);
  expect(await turnsOf(await openBatches(1), 1)).toEqual(['runs']);
});

test('a batch that ends while it waits is told so', async () => {
  const refs = await openBatches(2);
  await endBatch(world, refs[1] ?? refOf(aBatchId()), 'cancelled');
  expect(await turnsOf(refs, 1)).toEqual(['runs', 'ended']);
});

test('waiting is no fault that anybody has to hear of', async () => {
  const [, second = refOf(aBatchId())] = await openBatches(2);
  await expect(take(second, 1)).rejects.toMatchObject({
    type: 'NotItsTurn',
    nonRetryable: false,
    category: 'BENIGN',
  });
});

test('a batch that waits behind many reads the records of few', async () => {
  const refs = await openBatches(60);
  world.store.calls.length = 0;
  expect(await turnsOf(refs.slice(-1), 1)).toEqual(['waits 30000']);
  const reads = world.store.calls.filter(
    ({ name, key }) => name === 'get' && key.endsWith('/record.json'),
  );
  expect(reads.length).toBeLessThan(20);
});
