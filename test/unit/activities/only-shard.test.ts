/** The slice that answers the only shard of a batch at once ends the batch as well. */
import { batchKeys, fileKeys, openBatchKey } from '../../../src/domain/object-keys';
import type { ShardRef, SliceResult } from '../../../src/domain/workflow-contract';
import { createInferenceActivities } from '../../../activities';
import { anEnvironment, endBatch, linesOf, recordOf } from '../../support/activity-world';
import { aFileId, customIdOf, projectId } from '../../support/batches';
import { answered } from '../../support/fake-dispatcher';
import { StoreFault } from '../../../src/storage/object-store';
import { FaultyObjectStore, keysBelow, textOf } from '../../support/faulty-object-store';
import { lineCount, ordinals, seconds, SliceWorld, useSliceWorld } from '../../support/slice-world';

const outputId = aFileId(2);
const errorId = aFileId(3);
let world: SliceWorld;

useSliceWorld((fresh) => {
  world = fresh;
});

async function runOnly(shard: ShardRef, from = world, attempt = 1): Promise<SliceResult> {
  const inference = createInferenceActivities(from.deps);
  const [heldAs] = from.heldBatches.keys();
  const input = {
    ...shard,
    isFirst: true,
    isOnly: true,
    ...(heldAs !== undefined && { heldAs }),
  } as const;
  return await anEnvironment({ attempt }).run(async () => await inference.runSlice(input));
}

async function workingKeys(shard: ShardRef): Promise<string[]> {
  const keys = batchKeys(shard.projectId, shard.batchId);
  const found = await keysBelow(world.store, keys.prefix);
  return found.filter((key) => ![keys.record, keys.end].includes(key));
}

const counts = { completed: lineCount, failed: 0 };

describe.each([
  ['holds', true],
  ['does not hold', false],
])('a slice of the only shard, in a process that %s the batch', (_, holds) => {
  beforeEach(() => {
    if (!holds) {
      world.heldBatches.set = (): typeof world.heldBatches => world.heldBatches;
    }
  });

  it('writes the files, ends the batch, and leaves no ledger', async () => {
    const shard = await world.aShard();
    expect(await runOnly(shard)).toEqual({
      sealed: true,
      ended: false,
      counts,
      concluded: { endedAs: 'completed', targets: [] },
    });
    expect(await recordOf(world, shard)).toMatchObject({
      status: 'completed',
      outputFileId: outputId,
      errorFileId: null,
      requestCounts: { total: lineCount, ...counts },
    });
    const lines = await linesOf(world.store, outputId);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(ordinals(0, lineCount).map(customIdOf));
    expect(await workingKeys(shard)).toEqual([]);
    expect(await world.store.head(openBatchKey(projectId, shard.batchId))).toBeUndefined();
  });

  it('writes failed lines to the error file', async () => {
    const shard = await world.aShard();
    world.dispatcher.respond = ({ ordinal }) =>
      answered('{}', { status: ordinal % 4 === 0 ? 400 : 200 });
    await runOnly(shard);
    expect(await linesOf(world.store, outputId)).toHaveLength(30);
    expect(await linesOf(world.store, errorId)).toHaveLength(10);
    expect(await recordOf(world, shard)).toMatchObject({
      requestCounts: { total: lineCount, completed: 30, failed: 10 },
    });
  });

  it('commits what has an answer while other lines take their time', async () => {
    const shard = await world.aShard();
    world.dispatcher.respond = ({ ordinal }) => (ordinal < 4 ? answered('"early"') : undefined);
    const slice = runOnly(shard);
    await seconds(2);
    const ledger = await workingKeys(shard);
    expect(ledger.filter((key) => key.includes('/segments/'))).toHaveLength(1);
    world.dispatcher.release();
    world.dispatcher.respond = () => answered('"late"');
    await seconds(5);
    expect(await slice).toEqual({ sealed: true, ended: false, counts });
    expect(await recordOf(world, shard)).toMatchObject({ status: 'in_progress' });
  });

  it('goes on with the ledger of an attempt that died', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    const [dead] = await world.startHeld(shard, { environment, answeredCount: 4 });
    await seconds(2);
    const other = new SliceWorld(world.store, { processName: 'process-2' });
    other.dispatcher.respond = () => answered('"again"');
    expect(await runOnly(shard, other, 2)).toEqual({ sealed: true, ended: false, counts });
    expect(other.dispatcher.askedOrdinals).toEqual(ordinals(4, lineCount));
    environment.cancel();
    world.dispatcher.release();
    await seconds(15);
    expect(await dead).toMatchObject({ sealed: false });
  });

  it('looks at the ledger when there is one after all', async () => {
    const shard = await world.aShard();
    await world.runSlice(shard);
    const other = new SliceWorld(world.store, { processName: 'process-2' });
    expect(await runOnly(shard, other)).toEqual({ sealed: true, ended: false, counts });
    expect(other.dispatcher.askedOrdinals).toEqual([]);
  });

  it('leaves what somebody has put under the key of the output file to whoever finalizes', async () => {
    const shard = await world.aShard();
    const { content } = fileKeys(projectId, outputId);
    await world.store.put(content, Buffer.from('left over'));
    expect(await runOnly(shard)).toEqual({ sealed: true, ended: false, counts });
    expect(await textOf(world.store, content)).toBe('left over');
  });

  it('ends the batch as was decided meanwhile', async () => {
    const shard = await world.aShard();
    const inner = world.dispatcher.respond;
    let isDecided: Promise<void> | undefined;
    world.dispatcher.respond = (request) => {
      isDecided ??= endBatch(world, shard, 'cancelled');
      return inner(request);
    };
    const result = await runOnly(shard);
    await isDecided;
    expect(result).toMatchObject({ concluded: { endedAs: 'cancelled' } });
    expect(await recordOf(world, shard)).toMatchObject({ status: 'cancelled' });
    expect(await linesOf(world.store, outputId)).toHaveLength(lineCount);
  });

  it('leaves the end to an orchestrator where the process is none', async () => {
    const shard = await world.aShard();
    const settings = { roles: ['inference'] } as const;
    const inference = new SliceWorld(world.store, { settings });
    expect(await runOnly(shard, inference)).toEqual({ sealed: true, ended: false, counts });
    expect(await recordOf(world, shard)).toMatchObject({ status: 'in_progress' });
    expect(await textOf(world.store, fileKeys(projectId, outputId).content)).toBeUndefined();
  });
});

describe('a slice in the process that has just validated the batch', () => {
  const readNames = ['get', 'getRange', 'openRead', 'list'];

  async function readsOf(shard: ShardRef, work: () => Promise<unknown>): Promise<string[]> {
    const { prefix } = batchKeys(shard.projectId, shard.batchId);
    const before = world.store.calls.length;
    await work();
    return world.store.calls
      .slice(before)
      .filter(({ name }) => readNames.includes(name))
      .map(({ key }) => key.replace(prefix, '').replace(/^projects\/[^/]+\//, ''));
  }

  it('reads neither record nor plan nor input again, and lists no ledger', async () => {
    const shard = await world.aShard();
    const reads = await readsOf(shard, async () => await runOnly(shard));
    expect(reads.sort()).toEqual(['end', 'webhooks/']);
    expect(await recordOf(world, shard)).toMatchObject({ status: 'completed' });
  });

  it('leaves an input that was deleted meanwhile to the next sweep', async () => {
    const shard = await world.aShard();
    await world.deps.files.delete(projectId, aFileId(1));
    await runOnly(shard);
    expect(await recordOf(world, shard)).toMatchObject({ status: 'completed' });
    const inputKeys = async (): Promise<string[]> =>
      await keysBelow(world.store, fileKeys(projectId, aFileId(1)).prefix);
    const { record, content } = fileKeys(projectId, aFileId(1));
    expect(await inputKeys()).toEqual([content, record]);
    await world.run(async (control) => await control.sweep());
    expect(await inputKeys()).toEqual([]);
  });

  it.each([0, 1, 2, 3])(
    'ends it also when its removal breaks off after %i keys',
    async (removed) => {
      const shard = await world.aShard();
      const { memory } = world.store;
      world.store.delete = async (keys): Promise<void> => {
        expect(keys.length).toBeGreaterThan(removed);
        await memory.delete(keys.slice(0, removed));
        throw new StoreFault('The object store failed to delete');
      };
      await expect(runOnly(shard)).rejects.toThrow(StoreFault);

      world = new SliceWorld(new FaultyObjectStore(undefined, memory));
      const { sealed, ended } = await runOnly(shard, world, 2);
      expect({ sealed, ended }).toEqual({ sealed: false, ended: true });
      await world.run(async (control) => {
        await control.concludeBatch({ ref: shard, shardCount: 1, isComplete: true });
      });
      expect(await recordOf(world, shard)).toMatchObject({ status: 'completed' });
      expect(await linesOf(world.store, outputId)).toHaveLength(lineCount);
      expect(await workingKeys(shard)).toEqual([]);
      expect(await world.store.head(openBatchKey(projectId, shard.batchId))).toBeUndefined();
    },
  );

  it('reads all of it when it is not told what is held: the shard is run again', async () => {
    const shard = await world.aShard();
    await new SliceWorld(world.store, { processName: 'process-2' }).finish(shard);
    const before = world.dispatcher.asked.length;
    const inference = createInferenceActivities(world.deps);
    const input = { ...shard, isFirst: true, isOnly: true } as const;
    const result = await anEnvironment().run(async () => await inference.runSlice(input));
    expect(result).toEqual({ sealed: true, ended: false, counts });
    expect(world.dispatcher.asked).toHaveLength(before);
  });

  it('reads all of it in the next slice', async () => {
    const shard = await world.aShard();
    await expectTakenOver(shard);
    const reads = await readsOf(shard, async () => await runOnly(shard, world, 2));
    expect(reads).toEqual(expect.arrayContaining(['record.json']));
  });

  it('leaves the shard to a process that has taken it meanwhile', async () => {
    const shard = await world.aShard();
    const sealed = await expectTakenOver(shard);
    const { output } = await sealed.linesOf(shard);
    expect(output.map(({ response }) => response?.body)).toEqual(
      ordinals(0, lineCount).map((ordinal) => ({ ordinal })),
    );
    expect(await recordOf(world, shard)).toMatchObject({ status: 'in_progress' });
  });

  /** @returns the process that has the shard. */
  async function expectTakenOver(shard: ShardRef): Promise<SliceWorld> {
    const other = new SliceWorld(world.store, { processName: 'process-2' });
    const inner = world.dispatcher.respond;
    let isFinished: Promise<number[]> | undefined;
    world.dispatcher.respond = (request) => {
      isFinished ??= other.finish(shard);
      return request.ordinal < lineCount - 1 ? inner(request) : undefined;
    };
    const slice = runOnly(shard);
    slice.catch(() => undefined);
    await seconds(1);
    await isFinished;
    world.dispatcher.release();
    await seconds(1);
    await expect(slice).rejects.toThrow('Another process has taken the shard over');
    return other;
  }
});
