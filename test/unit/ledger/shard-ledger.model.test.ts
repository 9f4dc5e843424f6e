/**
 * Several owners of one shard at a time, whose calls to the store interleave in any order, fail, or
 * lose their answers. Whatever happens, a last owner finds a ledger that it can complete.
 */
import fc from 'fast-check';
import { noUsage } from '../../../src/domain/usage';
import type { Seal } from '../../../src/ledger/seal';
import { ShardTakenOver, type ShardLedger } from '../../../src/ledger/shard-ledger';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { StoreFault } from '../../../src/storage/object-store';
import { FaultyObjectStore, keysBelow, type Fate } from '../../support/faulty-object-store';
import { holdsAsync } from '../../support/holds';
import { aSegmentLine, sealedLines, shardKeys, takeShardOver } from '../../support/ledgers';

const lineCount = 10;
const ordinals = Array.from({ length: lineCount }, (_, ordinal) => ordinal);

type Step =
  | { readonly type: 'commit'; readonly picks: readonly number[] }
  | { readonly type: 'compact' }
  | { readonly type: 'finish' };

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('commit' as const),
      picks: fc.uniqueArray(fc.constantFrom(...ordinals), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'compact' as const }) },
  { weight: 1, arbitrary: fc.constant({ type: 'finish' as const }) },
);

const fates = fc.infiniteStream(
  fc.oneof(
    { weight: 24, arbitrary: fc.constant<Fate>('works') },
    { weight: 1, arbitrary: fc.constant<Fate>('fails') },
    { weight: 1, arbitrary: fc.constant<Fate>('answer_lost') },
  ),
);

const owners = fc.array(fc.record({ steps: fc.array(step, { maxLength: 6 }), fates }), {
  minLength: 1,
  maxLength: 4,
});

const outcomeOf = (ordinal: number): 'completed' | 'failed' =>
  ordinal % 3 === 0 ? 'failed' : 'completed';

/** Answers lines; each answer differs from every other of the same line. */
class Answers {
  readonly given = new Set<string>();

  async commit(ledger: ShardLedger, picks: readonly number[], owner: string): Promise<void> {
    const answered = ledger.answeredOrdinals();
    const lines = picks
      .filter((ordinal) => !answered.has(ordinal))
      .map((ordinal) => {
        const text = `${ordinal} by ${owner} in ${ledger.epoch}`;
        this.given.add(text);
        const usage = { inputTokens: ordinal + 1 };
        return aSegmentLine(ordinal, { text, outcome: outcomeOf(ordinal), usage });
      });
    if (lines.length > 0) {
      await ledger.commit(lines);
    }
  }

  /** Does a step; a seal is only written when every line has an answer. */
  async take(ledger: ShardLedger, taken: Step, owner: string): Promise<Seal | undefined> {
    switch (taken.type) {
      case 'commit':
        await this.commit(ledger, taken.picks, owner);
        return undefined;
      case 'compact':
        await ledger.compact(2);
        return undefined;
      case 'finish':
        await this.commit(ledger, ordinals, owner);
        return ledger.lineCount === lineCount ? await ledger.seal() : undefined;
    }
  }
}

/** What an owner knows at its end. */
interface Life {
  ledger?: ShardLedger;
  seal?: Seal;
}

/** Takes the shard over and works until it is sealed, taken over, or the store fails. */
async function live(
  store: FaultyObjectStore,
  answers: Answers,
  { steps, name }: { readonly steps: readonly Step[]; readonly name: string },
): Promise<Life> {
  const life: Life = {};
  try {
    const taken = await takeShardOver(store, { lineCount });
    if (taken.seal !== undefined) {
      return { seal: taken.seal };
    }
    life.ledger = taken.ledger;
    for (const each of steps) {
      const seal = await answers.take(taken.ledger, each, name);
      if (seal !== undefined) {
        return { ...life, seal };
      }
    }
  } catch (error) {
    if (!(error instanceof StoreFault || error instanceof ShardTakenOver)) {
      throw error;
    }
  }
  return life;
}

/** Lines that each epoch names, in the order of the epochs. */
async function namedLineCounts(memory: MemoryObjectStore): Promise<number[]> {
  const keys = await keysBelow(memory, shardKeys.epochsPrefix);
  return await Promise.all(
    keys.map(async (key) => {
      const text = (await memory.get(key))?.bytes.toString() ?? '';
      const record = JSON.parse(text) as { segments: { lineCount: number }[] };
      return record.segments.reduce((sum, segment) => sum + segment.lineCount, 0);
    }),
  );
}

async function checkSeal(memory: MemoryObjectStore, seal: Seal, answers: Answers): Promise<void> {
  const { output, errors } = await sealedLines(memory, seal);
  const ordinalsOf = (lines: readonly string[]): number[] =>
    lines.map((line) => parseInt(line, 10));
  expect(ordinalsOf(output)).toEqual(ordinals.filter((each) => outcomeOf(each) === 'completed'));
  expect(ordinalsOf(errors)).toEqual(ordinals.filter((each) => outcomeOf(each) === 'failed'));
  expect([...output, ...errors].filter((line) => !answers.given.has(line))).toEqual([]);
  expect(seal.counts).toEqual({ completed: output.length, failed: errors.length });
  expect(seal.usage).toEqual({ ...noUsage, inputTokens: (lineCount * (lineCount + 1)) / 2 });
}

test('every line is in the seal exactly once, whatever owners and store have done', async () => {
  const property = fc.asyncProperty(fc.scheduler(), owners, async (scheduler, scripts) => {
    const memory = new MemoryObjectStore();
    const answers = new Answers();
    const running = scripts.map(async ({ steps, fates: stream }, index) => {
      const store = new FaultyObjectStore(async () => {
        const fate: Fate = stream.next().value ?? 'works';
        await scheduler.schedule(Promise.resolve());
        return fate;
      }, memory);
      return await live(store, answers, { steps, name: `owner ${index}` });
    });
    const lives = await scheduler.waitFor(Promise.all(running));
    const named = await namedLineCounts(memory);
    expect(named).toEqual(named.toSorted((a, b) => a - b));

    const inherited = await takeShardOver(new FaultyObjectStore(undefined, memory), {
      lineCount,
    });
    const newest = lives.find(({ ledger }) => ledger?.epoch === named.length);
    const kept = inherited.seal ? new Set(ordinals) : inherited.ledger.answeredOrdinals();
    expect(
      [...(newest?.ledger?.answeredOrdinals() ?? [])].filter((each) => !kept.has(each)),
    ).toEqual([]);

    const steps = [{ type: 'finish' }] as const;
    const last = await live(new FaultyObjectStore(undefined, memory), answers, {
      steps,
      name: 'last',
    });
    if (last.seal === undefined) {
      throw new Error('The last owner could not seal the shard');
    }
    for (const { seal } of lives) {
      expect(seal ?? last.seal).toEqual(last.seal);
    }
    await checkSeal(memory, last.seal, answers);
  });
  await holdsAsync(property, { numRuns: 300 });
});
