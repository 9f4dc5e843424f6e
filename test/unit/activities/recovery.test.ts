import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { newBatchOf, newBatchRecord, type EndReason } from '../../../src/domain/batch';
import { shardWorkflowId } from '../../../src/domain/ids';
import { batchKeys, openBatchKey } from '../../../src/domain/object-keys';
import type { BatchRef, RecoveryResult, ShardRef } from '../../../src/domain/workflow-contract';
import type { WorkflowState } from '../../../src/temporal/batch-workflows';
import {
  ActivityWorld,
  createBatch,
  createRunningBatch,
  endBatch,
  limits,
} from '../../support/activity-world';
import { aBatchId, aNewBatch, projectId, requestLines, startedAt } from '../../support/batches';
import { keysBelow } from '../../support/faulty-object-store';

const taskQueuePrefix = 'test';
let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

async function recover(): Promise<RecoveryResult> {
  return await world.run(async (control) => await control.recoverBatches({ taskQueuePrefix }));
}

/** As `cleanUp` would find it: terminal, with its marker. */
async function aFailedBatch(): Promise<BatchRef> {
  const ref = await createBatch(world, 'no request\n');
  await world.run(async (control) => await control.validateAndPlan(ref));
  return ref;
}

describe('a batch whose workflow', () => {
  it.each<[WorkflowState, 'cancelled' | 'failed' | undefined]>([
    ['stopped', 'cancelled'],
    ['failed', 'failed'],
    ['completed', 'failed'],
    ['missing', undefined],
  ])('is %s is started again to be %s', async (state, reason) => {
    const { ref } = await createRunningBatch(world, requestLines(2));
    world.workflows.states.set(ref.batchId, state);

    expect(await recover()).toEqual({ running: 0, restarted: 1, left: 0, failed: 0 });
    expect(world.workflows.restarts).toEqual([
      {
        input: {
          batch: aNewBatch(),
          taskQueuePrefix,
          ...(reason !== undefined && { recovery: { reason } }),
        },
        lost: { state, status: 'in_progress' },
      },
    ]);
  });

  it('runs is left alone, and its record is not read', async () => {
    const ref = await createBatch(world, requestLines(1));
    world.workflows.states.set(ref.batchId, 'running');
    world.store.calls.length = 0;
    expect(await recover()).toEqual({ running: 1, restarted: 0, left: 0, failed: 0 });
    expect(world.store.calls.map(({ name }) => name)).toEqual(['list']);
  });

  it.each<WorkflowState>(['stopped', 'failed', 'completed', 'missing'])(
    'is %s is started again to clean up when it has ended',
    async (state) => {
      const ref = await aFailedBatch();
      world.workflows.states.set(ref.batchId, state);
      expect((await recover()).restarted).toBe(1);
      const [restart] = world.workflows.restarts;
      expect(restart?.lost.status).toBe('failed');
      expect(restart?.input.recovery).toBeUndefined();
    },
  );

  it('is missing goes on with the limit that the project has now', async () => {
    const ref = await createBatch(world, requestLines(1));
    await world.deps.projects.update(ref.projectId, () => ({
      id: ref.projectId,
      createdAt: startedAt,
      limits: { runningBatchesMax: 3 },
      emails: [],
    }));
    await recover();
    expect(world.workflows.restarts[0]?.input).toMatchObject({ runningBatchesMax: 3 });
  });

  it('is missing takes no address of a webhook into a history', async () => {
    const batch = { webhookUrl: 'https://example.com/secret' };
    await createBatch(world, requestLines(1), { batch });
    await recover();
    expect(JSON.stringify(world.workflows.restarts)).not.toContain('secret');
  });
});

describe('a batch that is being created', () => {
  const batch = aNewBatch();
  const ref = { projectId, batchId: batch.id };

  it('is left alone as long as it has no record, whatever Temporal says', async () => {
    await world.deps.batches.markOpen(batch);
    for (const state of ['missing', 'stopped', 'failed'] as const) {
      world.workflows.states.set(batch.id, state);
      expect(await recover()).toEqual({ running: 0, restarted: 0, left: 1, failed: 0 });
    }
    expect(await world.deps.batches.getMarker(ref)).toBeDefined();
  });

  it('is not started twice when it is started after the look', async () => {
    await world.deps.batches.markOpen(batch);
    // Its create starts the workflow and writes the record between the look and the start.
    world.workflows.before = async (call) => {
      if (call === 'restart') {
        world.workflows.states.set(batch.id, 'running');
      } else {
        await world.deps.batches.create(batch);
      }
    };
    expect(await recover()).toEqual({ running: 1, restarted: 0, left: 0, failed: 0 });
    expect(world.workflows.restarts).toEqual([]);
  });

  it('is judged by the next look when its workflow was stopped after this one', async () => {
    await createBatch(world, requestLines(1), { batch });
    world.workflows.before = (call) => {
      if (call === 'restart') {
        world.workflows.before = () => undefined;
        world.workflows.states.set(batch.id, 'stopped');
      }
    };
    expect((await recover()).restarted).toBe(0);
    expect((await recover()).restarted).toBe(1);
    expect(world.workflows.restarts[0]?.input.recovery).toEqual({ reason: 'cancelled' });
  });

  it('is left alone when it ended after the look, and was cleaned up', async () => {
    await createBatch(world, requestLines(1), { batch });
    world.workflows.states.set(batch.id, 'completed');
    world.workflows.before = async () => {
      await world.deps.batches.close(ref);
    };
    expect(await recover()).toEqual({ running: 0, restarted: 0, left: 1, failed: 0 });
  });
});

describe('several recoveries at once', () => {
  it('start a lost workflow once', async () => {
    const ref = await createBatch(world, requestLines(1));
    world.workflows.states.set(ref.batchId, 'stopped');
    const results = await Promise.all([recover(), recover(), recover()]);
    expect(results.map(({ restarted }) => restarted).sort()).toEqual([0, 0, 1]);
    expect(world.workflows.restarts).toHaveLength(1);
  });
});

describe('a look that fails', () => {
  async function threeBatches(): Promise<void> {
    for (const number of [1, 2, 3]) {
      await createBatch(world, requestLines(1), { batch: { id: aBatchId(number) } });
    }
  }

  it('keeps others from nothing, and concludes nothing', async () => {
    await threeBatches();
    world.workflows.before = (_call, id) => {
      if (id === aBatchId(2)) {
        throw new Error('no answer');
      }
    };
    expect(await recover()).toEqual({ running: 0, restarted: 2, left: 0, failed: 1 });
    world.workflows.before = () => undefined;
    expect(await recover()).toEqual({ running: 2, restarted: 1, left: 0, failed: 0 });
  });

  it('is made up for by the next when the store has failed', async () => {
    await threeBatches();
    const { record } = batchKeys(projectId, aBatchId(2));
    world.store.fateOf = ({ key }) => (key === record ? 'fails' : 'works');
    expect(await recover()).toMatchObject({ restarted: 2, failed: 1 });
    world.store.fateOf = () => 'works';
    expect(await recover()).toMatchObject({ running: 2, restarted: 1, failed: 0 });
  });
});

it('goes on where more batches are open than one call lists', async () => {
  const count = 1_005;
  for (let number = 0; number < count; number += 1) {
    const key = openBatchKey(projectId, aBatchId(number));
    await world.store.put(key, Buffer.from('{}'));
    world.workflows.states.set(aBatchId(number), 'running');
  }
  expect(await recover()).toEqual({ running: count, restarted: 0, left: 0, failed: 0 });
});

it('a batch is started again with all that it was created with', () => {
  const batch = aNewBatch({ metadata: { team: 'a' }, resultForm: 'bare' });
  expect(newBatchOf(newBatchRecord({ ...batch, webhookUrl: 'https://example.com/' }))).toEqual(
    batch,
  );
});

it('a batch that has ended since is not touched by an engine restored from an older copy', async () => {
  const { ref, shards } = await createRunningBatch(world, requestLines(2));
  const [shard] = shards as [ShardRef];
  await world.runSlice(shard);
  const end = async (reason: EndReason): Promise<void> => {
    await world.run(async (control) => {
      await control.decideEnd({ ref, reason });
      await control.finalizeBatch({ ref, shardCount: 1 });
      await control.cleanUp(ref);
    });
  };
  await end('completed');
  const record = await world.deps.batches.get(ref);
  const keys = await keysBelow(world.store, '');
  const asked = world.dispatcher.asked.length;

  expect(await world.runSlice(shard)).toMatchObject({ sealed: false, ended: true });
  expect(await world.run(async (control) => await control.validateAndPlan(ref))).toEqual({
    verdict: 'ended',
  });
  await world.run(async (control) => {
    await control.closeShard({ shard, reason: 'expired' });
  });
  await end('expired');
  expect(await world.deps.batches.get(ref)).toEqual(record);
  expect(await keysBelow(world.store, '')).toEqual(keys);
  expect(world.dispatcher.asked).toHaveLength(asked);
});

describe('the plan of a lost run', () => {
  /** As of an activity that was scheduled so many milliseconds ago. */
  async function planOf(ref: BatchRef, waitedMs = 0): Promise<unknown> {
    const environment = new MockActivityEnvironment({
      scheduledTimestampMs: world.nowMs - waitedMs,
      currentAttemptScheduledTimestampMs: world.nowMs,
    });
    return await environment.run(async () => await world.control.recoverPlan(ref));
  }

  it('has no shards before there is one', async () => {
    const ref = await createBatch(world, requestLines(1));
    expect(await planOf(ref)).toEqual({ total: 0, shardCount: 0, model: null });
  });

  it('is told when no shard workflow runs any more', async () => {
    const { ref } = await createRunningBatch(world, requestLines(11_000));
    const last = shardWorkflowId(ref.batchId, 2);
    world.workflows.states.set(last, 'running');
    await expect(planOf(ref)).rejects.toMatchObject({
      type: 'SlicesRunning',
      nonRetryable: false,
      nextRetryDelay: 1_000,
    });
    await expect(planOf(ref)).rejects.toThrow(ApplicationFailure);
    world.workflows.states.set(last, 'stopped');
    expect(await planOf(ref)).toEqual({ total: 11_000, shardCount: 3, model: 'small' });
  });

  it('is told without more waiting when slices take longer than they may', async () => {
    const { ref } = await createRunningBatch(world, requestLines(1));
    world.workflows.states.set(shardWorkflowId(ref.batchId, 0), 'running');
    const waitMs = world.deps.settings.cancelGraceMs + 30_000;
    await expect(planOf(ref, waitMs - 1)).rejects.toThrow(ApplicationFailure);
    expect(await planOf(ref, waitMs)).toMatchObject({ shardCount: 1 });
  });

  it('stays what it is when the run that goes on validates again', async () => {
    const { ref } = await createRunningBatch(world, requestLines(5_100));
    await endBatch(world, ref, 'failed');
    const plan = await world.deps.batches.getPlan(ref);
    expect(plan?.shards).toHaveLength(2);
    const other = new ActivityWorld(world.store, {
      settings: { limits: { ...limits, batchLinesMax: 1 } },
    });
    expect(await other.run(async (control) => await control.validateAndPlan(ref))).toMatchObject({
      verdict: 'valid',
      shardCount: 2,
    });
    expect(await world.deps.batches.getPlan(ref)).toEqual(plan);
  });
});
