import { newBatchOf, newBatchRecord } from '../../../src/domain/batch';
import { makeWebhookEndpointId } from '../../../src/domain/ids';
import { batchKeys, fileKeys, openBatchKey } from '../../../src/domain/object-keys';
import type {
  BatchRef,
  ConcludedBatch,
  ConcludeInput,
  PreparedBatch,
} from '../../../src/domain/workflow-contract';
import { makeSigningSecret } from '../../../src/notifications/signature';
import { StoreFault } from '../../../src/storage/object-store';
import {
  ActivityWorld,
  createBatch,
  createRunningBatch,
  endBatch,
  recordOf,
} from '../../support/activity-world';
import {
  aBatchId,
  aFileId,
  aNewBatch,
  projectId,
  requestLines,
  startedAt,
} from '../../support/batches';
import { keysBelow } from '../../support/faulty-object-store';

const inputId = aFileId(1);
let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

describe('opening a batch', () => {
  const batch = aNewBatch();
  const ref: BatchRef = { projectId, batchId: batch.id };
  const open = async (): Promise<unknown> =>
    await world.run(async (control) => await control.openBatch(batch));

  it('writes the record that the API had no time to write', async () => {
    expect(await open()).toEqual({ endedAs: null });
    expect(await recordOf(world, ref)).toEqual(newBatchRecord(batch));
    expect(await world.store.head(openBatchKey(projectId, batch.id))).toBeDefined();
  });

  it('takes the address of the webhook from the marker', async () => {
    await world.deps.batches.markOpen({ ...batch, webhookUrl: 'https://example.com/' });
    await open();
    expect(await recordOf(world, ref)).toEqual(
      newBatchRecord({ ...batch, webhookUrl: 'https://example.com/' }),
    );
  });

  it('leaves a record as it is', async () => {
    await open();
    await world.run(async (control) => await control.decideEnd({ ref, reason: 'cancelled' }));
    const record = await recordOf(world, ref);
    expect(await open()).toEqual({ endedAs: null });
    expect(await recordOf(world, ref)).toEqual(record);
  });

  it('tells how a batch has ended that is terminal', async () => {
    await open();
    await endBatch(world, ref, 'failed');
    await world.deps.batches.apply(ref, { type: 'validation_failed', at: startedAt, errors: [] });
    await world.deps.batches.close(ref);
    expect(await open()).toEqual({ endedAs: 'failed' });
    expect(await world.store.head(openBatchKey(projectId, batch.id))).toBeUndefined();
  });
});

describe('deciding the end', () => {
  it('holds for the first who asks, and is recorded', async () => {
    const { ref } = await createRunningBatch(world, requestLines(1));
    const first = await world.run(
      async (control) => await control.decideEnd({ ref, reason: 'expired' }),
    );
    world.nowMs += 60_000;
    const second = await world.run(
      async (control) => await control.decideEnd({ ref, reason: 'cancelled' }),
    );
    expect([first.reason, second]).toEqual(['expired', first]);
    expect(await recordOf(world, ref)).toMatchObject({
      status: 'finalizing',
      finalizingAt: first.at,
      cancellingAt: null,
    });
  });

  it('holds for one of many who ask at once', async () => {
    const { ref } = await createRunningBatch(world, requestLines(1));
    const ends = await Promise.all(
      (['cancelled', 'completed', 'expired'] as const).map(
        async (reason) =>
          await world.run(async (control) => await control.decideEnd({ ref, reason })),
      ),
    );
    expect(new Set(ends.map(({ reason }) => reason)).size).toBe(1);
  });

  it('holds although the answer of the store was lost', async () => {
    const { ref } = await createRunningBatch(world, requestLines(1));
    world.store.fateOf = ({ key }) => (key.endsWith('/end') ? 'answer_lost' : 'works');
    const decide = async (reason: 'cancelled' | 'expired'): Promise<unknown> =>
      await world.run(async (control) => await control.decideEnd({ ref, reason }));
    await expect(decide('cancelled')).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    expect(await decide('expired')).toMatchObject({ reason: 'cancelled' });
    expect((await recordOf(world, ref)).status).toBe('cancelling');
  });
});

describe('a batch whose last shard is sealed', () => {
  async function aSealedBatch(): Promise<ConcludeInput> {
    const { ref, shards } = await createRunningBatch(world, requestLines(10));
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    return { ref, shardCount: shards.length, isComplete: true };
  }
  const conclude = async (input: ConcludeInput): Promise<ConcludedBatch> =>
    await world.run(async (control) => await control.concludeBatch(input));

  it('is completed and cleaned up in one step, which may be repeated', async () => {
    const input = await aSealedBatch();
    const concluded = { endedAs: 'completed', targets: [] };
    expect(await conclude(input)).toEqual(concluded);
    const keys = batchKeys(projectId, input.ref.batchId);
    expect(await keysBelow(world.store, keys.prefix)).toEqual([keys.end, keys.record]);
    expect(await world.store.head(openBatchKey(projectId, input.ref.batchId))).toBeUndefined();
    const record = await recordOf(world, input.ref);
    expect(record.requestCounts).toEqual({ total: 10, completed: 10, failed: 0 });
    expect(await conclude(input)).toEqual(concluded);
    expect(await recordOf(world, input.ref)).toEqual(record);
  });

  it('ends as a cancel says that came first', async () => {
    const input = await aSealedBatch();
    await world.deps.batches.decideEnd(input.ref, { reason: 'cancelled', at: startedAt });
    expect(await conclude(input)).toEqual({ endedAs: 'cancelled', targets: [] });
  });

  it('keeps its marker until it is known who is being told', async () => {
    const input = await aSealedBatch();
    const id = makeWebhookEndpointId('b'.repeat(16));
    await world.deps.webhooks.create({
      id,
      projectId,
      createdAt: startedAt,
      url: 'https://example.com/',
      events: null,
      isEnabled: true,
      secret: { current: makeSigningSecret() },
    });
    expect(await conclude(input)).toEqual({ endedAs: 'completed', targets: [id] });
    expect(await world.store.head(openBatchKey(projectId, input.ref.batchId))).toBeDefined();
  });
});

describe('preparing a batch', () => {
  it('opens and validates it, and says what an earlier run has found', async () => {
    const ref = await createBatch(world, requestLines(10));
    const batch = newBatchOf(await recordOf(world, ref));
    const prepare = async (): Promise<PreparedBatch> =>
      await world.run(async (control) => await control.prepareBatch(batch));
    const validation = { verdict: 'valid', total: 10, shardCount: 1, model: 'small' };
    const heldAs = expect.any(String) as string;
    expect(await prepare()).toEqual({ endedAs: null, validation: { ...validation, heldAs } });
    expect(await prepare()).toEqual({ endedAs: null, validation });
  });

  it('reads nothing of one that has ended', async () => {
    const ref = await createBatch(world, 'no JSON');
    const batch = newBatchOf(await recordOf(world, ref));
    const prepare = async (): Promise<PreparedBatch> =>
      await world.run(async (control) => await control.prepareBatch(batch));
    expect(await prepare()).toMatchObject({ validation: { verdict: 'invalid' } });
    expect(await prepare()).toEqual({ endedAs: 'failed' });
  });
});

describe('cleaning up', () => {
  const cleanUp = async (ref: BatchRef): Promise<void> => {
    await world.run(async (control) => {
      await control.cleanUp(ref);
    });
  };
  const contentOfInput = async (): Promise<unknown> =>
    await world.store.head(fileKeys(projectId, inputId).content);

  async function aCompletedBatch(): Promise<BatchRef> {
    const { ref, shards } = await createRunningBatch(world, requestLines(10));
    for (const shard of shards) {
      await world.runSlice(shard);
    }
    await world.run(async (control) => await control.decideEnd({ ref, reason: 'completed' }));
    await world.run(async (control) => {
      await control.finalizeBatch({ ref, shardCount: shards.length });
    });
    return ref;
  }

  it('removes what only a running batch needs, and nothing else', async () => {
    const ref = await aCompletedBatch();
    await cleanUp(ref);
    const keys = batchKeys(projectId, ref.batchId);
    expect(await keysBelow(world.store, keys.prefix)).toEqual([keys.end, keys.record]);
    expect(await world.store.head(openBatchKey(projectId, ref.batchId))).toBeUndefined();
    expect(await contentOfInput()).toBeDefined();
    expect(await world.deps.files.get(projectId, aFileId(2), startedAt)).toBeDefined();
  });

  it('keeps the list of bad lines of a batch that failed', async () => {
    const ref = await createBatch(world, 'x\n');
    await world.run(async (control) => await control.validateAndPlan(ref));
    await cleanUp(ref);
    const keys = batchKeys(projectId, ref.batchId);
    expect(await keysBelow(world.store, keys.prefix)).toEqual([keys.end, keys.errors, keys.record]);
  });

  it('lets the bytes of an input go that was deleted meanwhile', async () => {
    const ref = await aCompletedBatch();
    await world.deps.files.delete(projectId, inputId);
    expect(await contentOfInput()).toBeDefined();
    await cleanUp(ref);
    expect(await contentOfInput()).toBeUndefined();
  });

  it('keeps a deleted input that another batch still uses', async () => {
    const ref = await aCompletedBatch();
    await world.deps.files.use(projectId, inputId, { batchId: aBatchId(9), nowSeconds: startedAt });
    await world.deps.files.delete(projectId, inputId);
    await cleanUp(ref);
    expect(await contentOfInput()).toBeDefined();
    await world.deps.files.release(projectId, inputId, aBatchId(9));
    expect(await contentOfInput()).toBeUndefined();
  });

  it('removes more objects than one list call returns', async () => {
    const ref = await createBatch(world, requestLines(1));
    const { shardsPrefix } = batchKeys(projectId, ref.batchId);
    for (let number = 0; number < 2_005; number++) {
      await world.store.put(`${shardsPrefix}${number}`, Buffer.of(1));
    }
    await cleanUp(ref);
    expect(await keysBelow(world.store, shardsPrefix)).toEqual([]);
  });

  it('may be repeated, and goes on where it was cut off', async () => {
    const ref = await aCompletedBatch();
    world.store.fateOf = ({ name, key }) =>
      name === 'delete' && key.includes('/batches/') ? 'fails' : 'works';
    await expect(cleanUp(ref)).rejects.toThrow(StoreFault);
    expect(await world.store.head(openBatchKey(projectId, ref.batchId))).toBeDefined();
    world.store.fateOf = () => 'works';
    await cleanUp(ref);
    await cleanUp(ref);
    expect(await keysBelow(world.store, batchKeys(projectId, ref.batchId).shardsPrefix)).toEqual(
      [],
    );
  });
});
