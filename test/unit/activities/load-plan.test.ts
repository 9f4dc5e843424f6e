import { batchKeys } from '../../../src/domain/object-keys';
import {
  ActivityWorld,
  createBatch,
  createRunningBatch,
  endBatch,
  limits,
  recordOf,
} from '../../support/activity-world';
import { customIdOf, projectId, requestLines } from '../../support/batches';
import { damageKinds, damageOne } from '../../support/damage';
import { answered } from '../../support/fake-dispatcher';
import { linesOf } from '../../support/activity-world';
import { ordinals } from '../../support/slice-world';
import { loadPlan } from '../../../activities/load-plan';

let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
  world.dispatcher.respond = ({ ordinal }) => answered(`${ordinal}`);
});

describe('a plan', () => {
  it.each(damageKinds)('that somebody has damaged is made again: %s', async (kind) => {
    const { ref, shards } = await createRunningBatch(world, requestLines(5_100));
    expect(shards).toHaveLength(2);
    const key = batchKeys(projectId, ref.batchId).plan;
    const written = (await world.store.get(key))?.bytes;
    for (const at of [0, 40, 77, 150, (written?.length ?? 0) - 3]) {
      await damageOne(world.store, key, { kind, pick: 0, at });
      const [shard] = shards;
      await world.runSlice(shard ?? { ...ref, shardIndex: 0 });
      expect((await world.store.get(key))?.bytes).toEqual(written);
    }
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    await endBatch(world, ref, 'completed');
    await world.run(async (control) => {
      await control.finalizeBatch({ ref, shardCount: 2 });
    });
    const { outputFileId } = await recordOf(world, ref);
    const lines = await linesOf(world.store, outputFileId);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(ordinals(0, 5_100).map(customIdOf));
  });

  it('is made again after the batch was cancelled, to close its shards', async () => {
    const { ref, shards } = await createRunningBatch(world, requestLines(5_100));
    await endBatch(world, ref, 'cancelled');
    await world.store.delete([batchKeys(projectId, ref.batchId).plan]);
    for (const shard of shards) {
      await world.run(async (control) => {
        await control.closeShard({ shard, reason: 'cancelled' });
      });
    }
    await world.run(async (control) => {
      await control.finalizeBatch({ ref, shardCount: 2 });
    });
    expect(await recordOf(world, ref)).toMatchObject({
      status: 'cancelled',
      requestCounts: { total: 5_100 },
    });
  });

  it('of one shard that is all of the input is in the record', async () => {
    const { ref, shards } = await createRunningBatch(world, requestLines(3));
    expect(await world.deps.batches.getPlan(ref)).toBeUndefined();
    expect(await loadPlan(world.deps, await recordOf(world, ref))).toMatchObject({
      total: 3,
      shards: [
        { firstOrdinal: 0, lineCount: 3, byteOffset: 0, byteLength: requestLines(3).length },
      ],
    });
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    await world.run(async (control) => {
      await control.concludeBatch({ ref, shardCount: 1, isComplete: true });
    });
    const ended = await recordOf(world, ref);
    expect(ended).toMatchObject({ status: 'completed', requestCounts: { completed: 3 } });
    expect(await loadPlan(world.deps, ended)).toBeUndefined();
  });

  it('of one shard that is not all of the input is an object, and no slice meets the rest', async () => {
    const { ref, shards } = await createRunningBatch(world, `\ufeff${requestLines(2)}`);
    expect((await world.deps.batches.getPlan(ref))?.shards).toMatchObject([{ byteOffset: 3 }]);
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    expect(world.dispatcher.asked).toHaveLength(2);
  });

  it('of one shard is an object, too, where others that validate look for it', async () => {
    world = new ActivityWorld(undefined, {
      settings: { limits: { ...limits, queuedLinesMax: 9 } },
    });
    const { ref } = await createRunningBatch(world, requestLines(2));
    const plan = await world.deps.batches.getPlan(ref);
    expect(plan).toEqual(await loadPlan(world.deps, await recordOf(world, ref)));
    expect(plan?.total).toBe(2);
  });

  it('of an input that is not validated is none', async () => {
    const ref = await createBatch(world, requestLines(3));
    expect(await loadPlan(world.deps, await recordOf(world, ref))).toBeUndefined();
  });
});
