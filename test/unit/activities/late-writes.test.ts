import { ActivityCancellationDetails } from '@temporalio/common';
import { batchKeys } from '../../../src/domain/object-keys';
import type { ShardRef } from '../../../src/domain/workflow-contract';
import { anEnvironment, endBatch, recordOf } from '../../support/activity-world';
import { keysBelow } from '../../support/faulty-object-store';
import { seconds, SliceWorld, useSliceWorld } from '../../support/slice-world';

let world: SliceWorld;

useSliceWorld((fresh) => {
  world = fresh;
});

/** The batch ends, as it does when its only slice has been silent for too long. */
async function endWithout(shard: ShardRef): Promise<void> {
  const other = new SliceWorld(world.store, { processName: 'process-2' });
  await endBatch(other, shard, 'expired');
  await other.run(async (control) => {
    await control.closeShard({ shard, reason: 'expired' });
    await control.finalizeBatch({ ref: shard, shardCount: 1 });
    await control.cleanUp(shard);
  });
}

async function workingKeys(shard: ShardRef): Promise<string[]> {
  const keys = batchKeys(shard.projectId, shard.batchId);
  const found = await keysBelow(world.store, keys.prefix);
  return found.filter((key) => ![keys.record, keys.end].includes(key));
}

test('a slice that wakes up after the end of its batch leaves nothing behind', async () => {
  const shard = await world.aShard();
  const environment = anEnvironment();
  const [slice] = await world.startHeld(shard, { environment });
  await endWithout(shard);
  expect(await workingKeys(shard)).toEqual([]);
  world.dispatcher.release();
  environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true }));
  await seconds(15);
  await expect(slice).rejects.toThrow('NOT_FOUND');
  expect(await workingKeys(shard)).toEqual([]);
  expect(await recordOf(world, shard)).toMatchObject({ status: 'expired' });
});

test('a slice of a batch that goes on leaves everything as it is', async () => {
  const shard = await world.aShard();
  const environment = anEnvironment();
  const [slice] = await world.startHeld(shard, { environment, answeredCount: 4 });
  environment.cancel('WORKER_SHUTDOWN', new ActivityCancellationDetails({ workerShutdown: true }));
  await seconds(15);
  expect(await slice).toMatchObject({ counts: { completed: 4 } });
  expect((await workingKeys(shard)).length).toBeGreaterThan(2);
});
