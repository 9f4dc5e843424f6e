/**
 * Several owners of one shard at a time, over one store. Their calls interleave in any order; each
 * may fail, lose its answer, or land long after its caller was told that it failed. Whoever meets a
 * failure is dead: what it still had is lost. So a crash may come after any call, and whoever is
 * slower than the next owner is a zombie.
 *
 * Afterwards a last owner, whom nobody disturbs, finishes the shard.
 */
import fc from 'fast-check';
import type { Outcome } from '../../src/domain/outcome';
import { noUsage } from '../../src/domain/usage';
import { damagedObjects, type Seal } from '../../src/ledger/seal';
import {
  beginFirst,
  reopen,
  ShardTakenOver,
  takeOver,
  type ShardLedger,
} from '../../src/ledger/shard-ledger';
import { MemoryObjectStore } from '../../src/storage/memory-object-store';
import { StoreFault, type ObjectInfo, type ObjectStore } from '../../src/storage/object-store';
import { FaultyObjectStore, type Fate, type PutCall } from './faulty-object-store';
import { aSegmentLine, ledgerOf, sealedLines, shardKeys } from './ledgers';

export const lineCount = 10;
export const ordinals = Array.from({ length: lineCount }, (_, ordinal) => ordinal);

/** Lines of one commit. */
export const picks = fc.uniqueArray(fc.constantFrom(...ordinals), { minLength: 1, maxLength: 4 });

/** `finish` answers all that is left and seals; `close` does so with lines that were cancelled. */
type Step =
  | { readonly type: 'commit'; readonly picks: readonly number[] }
  | { readonly type: 'compact' | 'finish' | 'close' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('commit' as const), picks }),
  },
  { weight: 2, arbitrary: fc.constant({ type: 'compact' as const }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom({ type: 'finish' as const }, { type: 'close' as const }),
  },
);

export const fates = fc.infiniteStream(
  fc.oneof(
    { weight: 36, arbitrary: fc.constant<Fate>('works') },
    { weight: 1, arbitrary: fc.constantFrom<Fate>('fails', 'answer_lost', 'lands_late') },
  ),
);

interface Script {
  /** Calls of others that it waits for before it takes the shard over. */
  readonly delay: number;
  /** Whether it takes the shard to be nobody's, rightly or not. */
  readonly isFirst: boolean;
  readonly steps: readonly Step[];
  readonly fates: fc.Stream<Fate>;
}

export const scripts: fc.Arbitrary<readonly Script[]> = fc.array(
  fc.record({
    delay: fc.nat({ max: 40 }),
    isFirst: fc.boolean(),
    steps: fc.array(step, { maxLength: 6 }),
    fates,
  }),
  { minLength: 1, maxLength: 4 },
);

/** The store that all owners share; knows the newest epoch at any time. */
export class SharedMemory extends MemoryObjectStore {
  newestEpoch = 0;

  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const stored = await super.put(...call);
    const [key] = call;
    if (stored !== undefined && key.startsWith(shardKeys.epochsPrefix)) {
      this.newestEpoch = Math.max(this.newestEpoch, Number(key.slice(-8)));
    }
    return stored;
  }
}

/** Every answer that an owner has tried to commit, and which of them nobody may undo. */
export class Answers {
  private readonly given = new Map<string, Outcome>();
  /** Text by ordinal. */
  readonly safe = new Map<number, string>();
  /** Takeovers that have begun, and may still win. */
  private takingOver = 0;

  constructor(private readonly memory: SharedMemory) {}

  takeoverBegins(): () => void {
    this.takingOver += 1;
    return () => {
      this.takingOver -= 1;
    };
  }

  /**
   * Answers lines that have no answer; each text differs from every other. What is acknowledged to
   * the owner of the newest epoch, while nobody is taking over, is safe.
   */
  async commit(
    ledger: ShardLedger,
    {
      picks,
      owner,
      outcome,
    }: {
      readonly picks: readonly number[];
      readonly owner: string;
      readonly outcome?: Outcome;
    },
  ): Promise<void> {
    const answered = ledger.answeredOrdinals();
    const lines = picks
      .filter((ordinal) => !answered.has(ordinal))
      .map((ordinal) => {
        const kind = outcome ?? (ordinal % 3 === 0 ? 'failed' : 'completed');
        const text = `${ordinal} ${kind} by ${owner} in ${ledger.epoch}`;
        this.given.set(text, kind);
        const usage = { inputTokens: ordinal + 1 };
        return { ordinal, text, line: aSegmentLine(ordinal, { text, outcome: kind, usage }) };
      });
    if (lines.length > 0) {
      await ledger.commit(lines.map(({ line }) => line));
      if (this.takingOver === 0 && this.memory.newestEpoch === ledger.epoch) {
        lines.forEach(({ ordinal, text }) => this.safe.set(ordinal, text));
      }
    }
  }

  /** What the line says of itself; `undefined` for one that nobody has given. */
  outcomeOf(line: string): Outcome | undefined {
    return this.given.get(line);
  }
}

/** Every line once, in order, in its file; counts are right, and what is safe is there. */
export async function checkSeal(
  store: ObjectStore,
  answers: Answers,
  { seal, safe = answers.safe }: { readonly seal: Seal; readonly safe?: Answers['safe'] },
): Promise<void> {
  const { output, errors } = await sealedLines(store, seal);
  const numbers = [output, errors].map((lines) => lines.map((line) => parseInt(line, 10)));
  for (const inOneFile of numbers) {
    expect(inOneFile).toEqual(inOneFile.toSorted((a, b) => a - b));
  }
  expect(numbers.flat().sort((a, b) => a - b)).toEqual(ordinals);
  expect(output.map((line) => answers.outcomeOf(line))).toEqual(output.map(() => 'completed'));
  const errorKinds = errors.map((line) => answers.outcomeOf(line));
  expect(errorKinds.filter((kind) => kind === undefined || kind === 'completed')).toEqual([]);
  const failed = errorKinds.filter((kind) => kind === 'failed').length;
  expect(seal.counts).toEqual({ completed: output.length, failed });
  expect(seal.usage).toEqual({ ...noUsage, inputTokens: (lineCount * (lineCount + 1)) / 2 });
  const lines = new Set([...output, ...errors]);
  expect([...safe.values()].filter((text) => !lines.has(text))).toEqual([]);
}

/** Does a step; the seal, when that was one. */
async function take(
  answers: Answers,
  ledger: ShardLedger,
  { taken, owner }: { readonly taken: Step; readonly owner: string },
): Promise<Seal | undefined> {
  switch (taken.type) {
    case 'commit':
      await answers.commit(ledger, { picks: taken.picks, owner });
      return undefined;
    case 'compact':
      await ledger.compact(2);
      return undefined;
    case 'finish':
    case 'close': {
      const closing = taken.type === 'close' && { outcome: 'cancelled' as const };
      await answers.commit(ledger, { picks: ordinals, owner, ...closing });
      return await ledger.seal();
    }
  }
}

/** Takes the shard over and works until it is sealed, taken over, or the store fails. */
export async function live(
  store: FaultyObjectStore,
  answers: Answers,
  {
    steps,
    owner,
    isFirst = false,
  }: { readonly steps: readonly Step[]; readonly owner: string; readonly isFirst?: boolean },
): Promise<Seal | undefined> {
  const options = ledgerOf(store, { lineCount });
  try {
    const taken = isFirst
      ? { ledger: beginFirst(options), seal: undefined }
      : await takeOver(options).finally(answers.takeoverBegins());
    if (taken.seal !== undefined) {
      return taken.seal;
    }
    for (const each of steps) {
      const seal = await take(answers, taken.ledger, { taken: each, owner });
      if (seal !== undefined) {
        return seal;
      }
    }
  } catch (error) {
    if (!(error instanceof StoreFault || error instanceof ShardTakenOver)) {
      throw error;
    }
  }
  return undefined;
}

/** Finishes the shard, whatever the others have left; seals it anew where its seal is damaged. */
export async function finish(store: ObjectStore, answers: Answers): Promise<Seal> {
  const options = ledgerOf(store, { lineCount });
  for (let round = 1; round <= 10; round++) {
    const taken = await takeOver(options);
    if (taken.seal !== undefined && (await damagedObjects(store, taken.seal)).length === 0) {
      return taken.seal;
    }
    const ledger = taken.seal === undefined ? taken.ledger : await reopen(options);
    await answers.commit(ledger, { picks: ordinals, owner: `last ${round}` });
    const seal = await ledger.seal();
    if (seal !== undefined) {
      return seal;
    }
  }
  throw new Error('The last owner could not seal the shard');
}

/** Makes the store of one owner over the shared one. */
export type MakeStore = (
  fateOf: FaultyObjectStore['fateOf'],
  memory: MemoryObjectStore,
) => FaultyObjectStore;

const aFaultyStore: MakeStore = (fateOf, memory) => new FaultyObjectStore(fateOf, memory);

interface Disturbance {
  /** Says whose call comes next. */
  readonly scheduler: fc.Scheduler;
  readonly delay: number;
  readonly fates: fc.Stream<Fate>;
}

/** The store of one of several who share a memory; resolved when it is its owner's turn to begin. */
export async function disturbedStore(
  memory: MemoryObjectStore,
  answers: Answers,
  {
    scheduler,
    delay,
    fates: stream,
    makeStore = aFaultyStore,
  }: Disturbance & {
    readonly makeStore?: MakeStore;
  },
): Promise<FaultyObjectStore> {
  const store = makeStore(async () => {
    const fate: Fate = stream.next().value ?? 'works';
    await scheduler.schedule(Promise.resolve());
    return fate;
  }, memory);
  store.landLater = (land, { key }) => {
    // It may win a takeover at any time, and then counts what its owner knew.
    const landed = key.startsWith(shardKeys.epochsPrefix) ? answers.takeoverBegins() : undefined;
    void scheduler.schedule(Promise.resolve()).then(land).finally(landed);
  };
  for (let waited = 0; waited < delay; waited++) {
    await scheduler.schedule(Promise.resolve());
  }
  return store;
}

/** Somebody who changes objects while the owners work. */
export type Saboteur = (memory: MemoryObjectStore) => Promise<void>;

/**
 * Every line is in the seal exactly once, whatever owners and store have done. Without a saboteur
 * also: a seal is final, and what was acknowledged undisturbed is never asked again.
 */
export function ledgerProperty(
  options: { readonly makeStore?: MakeStore; readonly sabotages?: fc.Arbitrary<Saboteur[]> } = {},
): fc.IAsyncProperty<[fc.Scheduler, readonly Script[], Saboteur[]]> {
  const { makeStore = aFaultyStore, sabotages = fc.constant([]) } = options;
  return fc.asyncProperty(
    fc.scheduler(),
    scripts,
    sabotages,
    async (scheduler, owners, actions) => {
      const memory = new SharedMemory();
      const answers = new Answers(memory);
      const running = owners.map(async (script, index) => {
        const disturbance = { ...script, scheduler, makeStore };
        const store = await disturbedStore(memory, answers, disturbance);
        const { steps, isFirst } = script;
        return await live(store, answers, { steps, isFirst, owner: `owner ${index}` });
      });
      const sabotaged = actions.map(async (act) => {
        await scheduler.schedule(Promise.resolve());
        await act(memory);
      });
      const seals = await scheduler.waitFor(Promise.all(running));
      const lastStore = makeStore(() => 'works', memory);
      const last = await finish(lastStore, answers);
      // What was still on its way to the store arrives now.
      await scheduler.waitIdle();
      await Promise.all(sabotaged);
      const final = await finish(lastStore, answers);
      if (actions.length > 0) {
        await checkSeal(memory, answers, { seal: final, safe: new Map() });
        return;
      }
      await checkSeal(memory, answers, { seal: final });
      expect([...seals, final].map((seal) => seal ?? last)).toEqual(
        [...seals, final].map(() => last),
      );
    },
  );
}
