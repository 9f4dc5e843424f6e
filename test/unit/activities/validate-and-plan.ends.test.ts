/** Ends that are decided while the input is validated. */
import { batchKeys } from '../../../src/domain/object-keys';
import type { BatchRef, ValidationResult } from '../../../src/domain/workflow-contract';
import { ActivityWorld, createBatch, endBatch, recordOf } from '../../support/activity-world';
import { projectId, requestLines } from '../../support/batches';
import { FaultyObjectStore, type Fate } from '../../support/faulty-object-store';

let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

async function validate(ref: BatchRef): Promise<ValidationResult> {
  return await world.run(async (control) => await control.validateAndPlan(ref));
}

test('a cancel that comes before the verdict is recorded leaves nothing to run', async () => {
  const ref = await createBatch(world, requestLines(1));
  world.store.fateOf = async ({ name, key }): Promise<Fate> => {
    if (name === 'openRead' && key.endsWith('/content')) {
      await endBatch(world, ref, 'cancelled');
    }
    return 'works';
  };
  expect(await validate(ref)).toEqual({ verdict: 'ended' });
  expect(await recordOf(world, ref)).toMatchObject({ status: 'validating', inProgressAt: null });
});

test('nor does one that comes, and is recorded, just before the verdict is', async () => {
  const ref = await createBatch(world, requestLines(1));
  const { record } = batchKeys(projectId, ref.batchId);
  const canceller = new ActivityWorld(new FaultyObjectStore(undefined, world.store.memory));
  world.store.fateOf = async ({ name, key }): Promise<Fate> => {
    if (name === 'put' && key === record) {
      await canceller.run(async (control) => await control.decideEnd({ ref, reason: 'cancelled' }));
    }
    return 'works';
  };
  expect(await validate(ref)).toEqual({ verdict: 'ended' });
  await world.run(async (control) => {
    await control.concludeBatch({ ref, shardCount: 0, isComplete: false });
  });
  expect(await recordOf(world, ref)).toMatchObject({ status: 'cancelled', inProgressAt: null });
});
