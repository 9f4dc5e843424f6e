/**
 * Close mode among slices: owners of one shard and several runs of `closeShard` interleave over one
 * store. Then its objects are damaged, and the files are written.
 */
import fc from 'fast-check';
import { MissingObject } from '../../../activities/deps';
import type { BatchRef } from '../../../src/domain/workflow-contract';
import { readSeal, ShardTakenOver } from '../../../src/ledger/shard-ledger';
import { StoreFault, type ObjectStore } from '../../../src/storage/object-store';
import {
  ActivityWorld,
  anEnvironment,
  createRunningBatch,
  endBatch,
  linesOf,
  recordOf,
  type ResultLine,
} from '../../support/activity-world';
import { aNewBatch, customIdOf, requestLines } from '../../support/batches';
import { damageOne, damages, type Damage } from '../../support/damage';
import { answered } from '../../support/fake-dispatcher';
import { FaultyObjectStore, type Fate } from '../../support/faulty-object-store';
import { holdsAsync } from '../../support/holds';
import {
  Answers,
  disturbedStore,
  fates,
  lineCount,
  live,
  ordinals,
  scripts,
  SharedMemory,
} from '../../support/ledger-model';
import { sealedLines, shardKeys, shardPrefix } from '../../support/ledgers';

async function aRunningBatch(store: FaultyObjectStore): Promise<ActivityWorld> {
  const world = new ActivityWorld(store);
  await createRunningBatch(world, requestLines(lineCount));
  return world;
}

const ref: BatchRef = { projectId: 'default', batchId: aNewBatch().id };
const shard = { ...ref, shardIndex: 0 };

/** Runs `closeShard` once; whatever it meets in the store may cut it off. */
async function close(store: FaultyObjectStore): Promise<void> {
  try {
    await new ActivityWorld(store).run(async (control) => {
      await control.closeShard({ shard, reason: 'cancelled' });
    });
  } catch (error) {
    const isExpected = [StoreFault, ShardTakenOver, MissingObject].some(
      (type) => error instanceof type,
    );
    if (!isExpected) {
      throw error;
    }
  }
}

/** What a line of the model says, or a cancelled line of `closeShard`. */
function ordinalOf(line: string): number {
  if (!line.startsWith('{')) {
    return parseInt(line, 10);
  }
  const { custom_id: customId, error } = JSON.parse(line) as ResultLine;
  return error?.code === 'batch_cancelled' ? Number(customId.slice('request-'.length)) : NaN;
}

test('close mode leaves every answer as it is, and gives every other line one of its own', async () => {
  const closers = fc.array(fc.record({ delay: fc.nat({ max: 60 }), fates }), {
    minLength: 1,
    maxLength: 2,
  });
  const property = fc.asyncProperty(
    fc.scheduler(),
    scripts,
    closers,
    async (scheduler, owners, others) => {
      const memory = new SharedMemory();
      const answers = new Answers(memory);
      await aRunningBatch(new FaultyObjectStore(undefined, memory));
      const slices = owners.map(async (script, index) => {
        const store = await disturbedStore(memory, answers, { ...script, scheduler });
        await live(store, answers, { steps: script.steps, owner: `owner ${index}` });
      });
      const closing = others.map(async (script) => {
        const store = await disturbedStore(memory, answers, { ...script, scheduler });
        const hasTakenOver = answers.takeoverBegins();
        await close(store).finally(hasTakenOver);
      });
      await scheduler.waitFor(Promise.all([...slices, ...closing]));
      await close(new FaultyObjectStore(undefined, memory));
      await scheduler.waitIdle();

      const seal = await readSeal({ store: memory, keys: shardKeys });
      const { output, errors } = seal
        ? await sealedLines(memory, seal)
        : { output: [], errors: [] };
      expect(output.filter((line) => answers.outcomeOf(line) !== 'completed')).toEqual([]);
      const lines = [...output, ...errors];
      expect(lines.map(ordinalOf).sort((a, b) => a - b)).toEqual(ordinals);
      expect([...answers.safe.values()].filter((text) => !lines.includes(text))).toEqual([]);
    },
  );
  await holdsAsync(property, { numRuns: 200 });
});

/** Tries until it succeeds, as the workflow does. */
async function finalize(world: ActivityWorld): Promise<void> {
  for (let attemptNumber = 1; ; attemptNumber++) {
    try {
      await world.run(
        async (control) => {
          await control.finalizeBatch({ ref, shardCount: 1 });
        },
        anEnvironment({ attempt: attemptNumber }),
      );
      return;
    } catch (error) {
      const mayPass = error instanceof StoreFault || error instanceof MissingObject;
      if (!mayPass || attemptNumber === 10) {
        throw error;
      }
    }
  }
}

/** Damages what lies below a prefix at the first sight of a call. */
function damageAt(
  store: FaultyObjectStore,
  name: keyof ObjectStore,
  damage: () => Promise<unknown>,
): void {
  store.fateOf = async (call): Promise<Fate> => {
    if (call.name === name) {
      store.fateOf = () => 'works';
      await damage();
    }
    return 'works';
  };
}

describe('whatever is damaged when all lines are answered', () => {
  async function finished(
    damaged: readonly Damage[],
    { prefix, at }: { readonly prefix: string; readonly at: keyof ObjectStore },
  ): Promise<{ output: readonly ResultLine[]; errors: readonly ResultLine[] }> {
    const store = new FaultyObjectStore();
    const world = await aRunningBatch(store);
    world.dispatcher.respond = ({ ordinal }) =>
      answered(`${ordinal}`, { status: ordinal % 3 === 0 ? 400 : 200 });
    await world.runSlice(shard);
    await endBatch(world, ref, 'completed');
    damageAt(store, at, async () => {
      for (const damage of damaged) {
        await damageOne(store.memory, prefix, damage);
      }
    });
    await finalize(world);
    const { requestCounts, outputFileId, errorFileId, status } = await recordOf(world, ref);
    const output = await linesOf(store, outputFileId);
    const errors = await linesOf(store, errorFileId);
    expect(status).toBe('completed');
    expect(requestCounts).toEqual({
      total: lineCount,
      completed: output.length,
      failed: errors.length,
    });
    return { output, errors };
  }

  const moments = fc.constantFrom<keyof ObjectStore>('list', 'head', 'concatenate');
  const several = fc.array(damages, { minLength: 1, maxLength: 4 });
  const idsOf = (lines: readonly ResultLine[]): string[] => lines.map((line) => line.custom_id);

  it('below the shard, each line is in the files once, with its answer or as lost', async () => {
    const property = fc.asyncProperty(several, moments, async (damaged, at) => {
      const { output, errors } = await finished(damaged, { prefix: shardPrefix, at });
      expect([...idsOf(output), ...idsOf(errors)].sort()).toEqual(ordinals.map(customIdOf).sort());
      const told = [...output, ...errors].map(({ custom_id, response, error }) => [
        custom_id,
        error?.code ?? customIdOf(response?.body as number),
      ]);
      expect(told.filter(([id, what]) => what !== id && what !== 'result_lost')).toEqual([]);
    });
    await holdsAsync(property, { numRuns: 300 });
  });

  it('what the store cannot read any more is sealed anew after some attempts', async () => {
    const store = new FaultyObjectStore();
    const world = await aRunningBatch(store);
    world.dispatcher.respond = ({ ordinal }) => answered(`${ordinal}`);
    await world.runSlice(shard);
    await endBatch(world, ref, 'completed');
    const lost = shardKeys.sealedOutput(1);
    const isNeeded = async (): Promise<boolean> =>
      (await readSeal({ store: store.memory, keys: shardKeys }))?.output?.key === lost;
    store.fateOf = async ({ name, key }): Promise<Fate> => {
      const isRead = name === 'getRange' && key === lost;
      return isRead || (name === 'concatenate' && (await isNeeded())) ? 'fails' : 'works';
    };
    await finalize(world);
    const { outputFileId } = await recordOf(world, ref);
    const lines = await linesOf(store, outputFileId);
    expect(idsOf(lines)).toEqual(ordinals.map(customIdOf));
  });

  it.each([
    ['sealed objects', folderOf(shardKeys.sealedOutput(1))],
    ['epochs', shardKeys.epochsPrefix],
  ])('of %s alone, no answer is lost', async (_, prefix) => {
    const property = fc.asyncProperty(several, moments, async (damaged, at) => {
      const { output, errors } = await finished(damaged, { prefix, at });
      const failed = ordinals.filter((ordinal) => ordinal % 3 === 0);
      expect(idsOf(errors)).toEqual(failed.map(customIdOf));
      expect(errors.filter(({ error }) => error !== null)).toEqual([]);
      expect(output).toHaveLength(lineCount - failed.length);
    });
    await holdsAsync(property, { numRuns: 100 });
  });
});

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
