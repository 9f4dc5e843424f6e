/**
 * The ledger of one shard: which request lines are answered, and the answers.
 *
 * One mechanism serves crash, takeover, hand-over and compaction. `epochs/{n}` is created only if
 * absent: whoever creates it owns epoch n. It names exactly the segments that count so far. Only the
 * owner of epoch n writes `segments/{n}-*`, and those count once a later epoch names them.
 *
 * - Taking over: read the newest epoch n, list `segments/{n}-*`, create epoch n+1 that names what n
 *   named and what was listed. Whatever a former owner still writes under n is ignored from then on:
 *   no lock and no clock is needed, and a process that only seems dead can do no harm. Of a shard that
 *   nobody seems to have had, epoch 1 may be taken as late as with the first that is written.
 * - Compacting: write one larger segment, create the next epoch naming it instead of its parts, then
 *   delete the parts. It lies outside `segments/`, so that a crash before the new epoch leaves an
 *   object that nobody counts.
 * - Sealing: write the ordered output and error objects, then create an epoch that names them. No
 *   epoch follows a sealed one, unless one of the two objects turns out to be damaged.
 *
 * Invariants: no ordinal is in two segments that one epoch names; everything that an epoch names was
 * complete before the epoch was created; counts are only ever taken from what an epoch names.
 *
 * Objects that are damaged, or that somebody deleted: see ledger-state.ts.
 */
import { compactedBytesMin } from '../domain/limits';
import { outcomeKinds } from '../domain/outcome';
import type { Shard } from '../domain/shard-plan';
import { totalUsage, type Usage } from '../domain/usage';
import type { ShardCounts } from '../domain/workflow-contract';
import { encodeEpoch } from './epoch-record';
import { readCounted, readNewestEpoch, type NewestEpoch, type ShardObjects } from './ledger-state';
import { SegmentsDamaged, type OpenSegment } from './merge';
import { putSealed, writeCompacted, writeSealed } from './merged-objects';
import type { Seal } from './seal';
import { encodeSegment, type SegmentLine } from './segment';

/** Another process has taken the shard over; what this one still holds does not count. */
export class ShardTakenOver extends Error {
  override readonly name = 'ShardTakenOver';
}

/** Segments by key, as many as fit: no key is ever written twice. */
export interface RecentSegments {
  get(key: string): Buffer | undefined;
  set(key: string, segment: Buffer): unknown;
  delete(key: string): unknown;
}

export interface LedgerOptions extends ShardObjects {
  /** The ordinals that the shard has. */
  readonly shard: Pick<Shard, 'firstOrdinal' | 'lineCount'>;
  /** Makes a token that no other call ever makes. */
  readonly makeToken: () => string;
  /** Where segments are kept that this process has written; merges read the others. */
  readonly recent?: RecentSegments;
  /** Told of each object that is not what it should be; the lines that only it had are answered again. */
  readonly onDamaged: (key: string) => void;
}

/** The seal of a shard, if it has one. */
export async function readSeal(objects: ShardObjects): Promise<Seal | undefined> {
  return (await readNewestEpoch(objects)).record?.seal ?? undefined;
}

/**
 * Takes the shard's next epoch, or finds it sealed.
 *
 * @throws StoreFault when the store does not answer.
 */
export async function takeOver(
  options: LedgerOptions,
): Promise<{ readonly seal: Seal } | { readonly ledger: ShardLedger; readonly seal?: undefined }> {
  for (;;) {
    const newest = await readNewestEpoch(options);
    if (newest.record?.seal) {
      return { seal: newest.record.seal };
    }
    const ledger = await takeNext(options, newest);
    if (ledger !== undefined) {
      return { ledger };
    }
  }
}

/**
 * Takes the first epoch of a shard, without a look at what there is. For whoever has good reason to
 * think that the shard has no ledger.
 *
 * @returns `undefined` when it has one.
 */
export async function takeFirst(options: LedgerOptions): Promise<ShardLedger | undefined> {
  const epoch = 1;
  const isTaken = await createEpoch(options, { epoch, segments: [], seal: null });
  return isTaken ? new ShardLedger(options, epoch, []) : undefined;
}

/**
 * The ledger of a shard that nobody has had yet. It takes the first epoch with the first that it
 * writes, which may be the seal; whoever has taken that meanwhile has the shard.
 */
export function beginFirst(options: LedgerOptions): ShardLedger {
  const noEpoch = 0;
  return new ShardLedger(options, noEpoch, []);
}

/** Takes the next epoch of a shard whose sealed objects are damaged, or that is not sealed. */
export async function reopen(options: LedgerOptions): Promise<ShardLedger> {
  for (;;) {
    const ledger = await takeNext(options, await readNewestEpoch(options));
    if (ledger !== undefined) {
      return ledger;
    }
  }
}

/** `undefined` when somebody else was faster. */
async function takeNext(
  options: LedgerOptions,
  newest: NewestEpoch,
): Promise<ShardLedger | undefined> {
  const counted = await readCounted(options, options.shard, newest);
  if (counted === undefined) {
    return undefined;
  }
  const { segments } = counted;
  const epoch = counted.newest + 1;
  // A segment that its owner compacted away meanwhile looks damaged; then this loses the race.
  if (!(await createEpoch(options, { epoch, segments, seal: null }))) {
    return undefined;
  }
  const ledger = new ShardLedger(options, epoch, segments);
  ledger.reportDamaged([...newest.damagedKeys, ...counted.damagedKeys]);
  return ledger;
}

/** A shard that was sealed without a segment. */
export interface SealedAtOnce {
  readonly seal: Seal;
  /** All that the ledger consists of; `undefined` where an earlier owner may have left more. */
  readonly ledgerKeys: readonly string[] | undefined;
}

/** The owner's side of one shard. Its methods must not overlap. */
export class ShardLedger {
  private sequence = 0;
  private damaged = 0;

  constructor(
    private readonly options: LedgerOptions,
    /** 0 until the first is taken. */
    private currentEpoch: number,
    private segments: OpenSegment[],
  ) {}

  /** The one that it has, or takes with the first that it writes. */
  get epoch(): number {
    return Math.max(1, this.currentEpoch);
  }

  /** Objects that turned out not to be what was written, since the shard was taken over. */
  get damagedCount(): number {
    return this.damaged;
  }

  /** Lines that have an answer. */
  get lineCount(): number {
    return this.segments.reduce((sum, { summary }) => sum + summary.lineCount, 0);
  }

  get counts(): ShardCounts {
    return countsOf(this.segments);
  }

  /** Tokens of the answers that count. */
  get usage(): Usage {
    return totalUsage(this.segments.map(({ summary }) => summary));
  }

  /** Ordinals of the lines that have an answer. */
  answeredOrdinals(): Set<number> {
    return new Set(this.segments.flatMap(({ index }) => [...index.ordinals]));
  }

  /**
   * Makes finished lines durable: when this resolves they survive every crash.
   *
   * @throws {@link ShardTakenOver}
   */
  async commit(lines: readonly SegmentLine[]): Promise<void> {
    if (this.currentEpoch === 0) {
      await this.nextEpoch([], null);
    }
    const key = this.options.keys.segment(this.currentEpoch, this.sequence);
    const { bytes, summary, index } = await encodeSegment(key, lines);
    await this.options.store.put(key, bytes);
    this.options.recent?.set(key, bytes);
    this.sequence += 1;
    this.segments.push({ key, summary, index });
  }

  /**
   * Merges all segments smaller than `compactedBytesMin` into one, if there are `countMin` or more.
   *
   * @throws {@link ShardTakenOver}
   */
  async compact(countMin: number): Promise<void> {
    const small = this.segments.filter(({ summary }) => summary.linesBytes < compactedBytesMin);
    if (small.length < countMin) {
      return;
    }
    const compacted = await this.unlessDamaged(
      async () =>
        await writeCompacted(
          this.options.store,
          this.options.keys.compacted(this.currentEpoch),
          this.withRecent(small),
        ),
    );
    if (compacted === undefined) {
      return;
    }
    const kept = this.segments.filter((segment) => !small.includes(segment));
    await this.nextEpoch([...kept, compacted], null);
    this.forget(small);
    await this.options.store.delete(small.map(({ key }) => key));
  }

  /**
   * Writes the ordered objects and closes the ledger.
   *
   * @returns `undefined` when a line of the shard has no answer, or has none any more because a
   *   segment turned out to be damaged: those are dropped, and their lines have to be answered again.
   * @throws {@link ShardTakenOver}
   */
  async seal(): Promise<Seal | undefined> {
    const { store, keys, shard } = this.options;
    if (this.lineCount !== shard.lineCount) {
      return undefined;
    }
    const objects = await this.unlessDamaged(
      async () =>
        await writeSealed(store, this.withRecent(this.segments), {
          output: keys.sealedOutput(this.currentEpoch),
          errors: keys.sealedErrors(this.currentEpoch),
        }),
    );
    if (objects === undefined) {
      return undefined;
    }
    const seal: Seal = { ...objects, counts: this.counts, usage: this.usage };
    await this.nextEpoch(this.segments, seal);
    this.forget(this.segments);
    return seal;
  }

  /**
   * Seals a shard of which nothing is committed, with the answers of all its lines. That saves
   * segments, which are to be written and read again; but then nothing else has the answers.
   *
   * @param files keys of the ordered objects, which may be what the batch's files are to be.
   * @returns `undefined` when it is not so, or one of the objects exists.
   * @throws {@link ShardTakenOver}
   */
  async sealAtOnce(
    lines: readonly SegmentLine[],
    files: { readonly output: string; readonly errors: string },
  ): Promise<SealedAtOnce | undefined> {
    const { store, keys, shard } = this.options;
    if (this.segments.length > 0 || lines.length !== shard.lineCount) {
      return undefined;
    }
    // Without the first epoch there is no owner, and without an owner no segment.
    const isFirst = this.currentEpoch <= 1 && this.sequence === 0;
    const objects = await putSealed(store, lines, files);
    if (objects === undefined) {
      return undefined;
    }
    const countOf = (kind: number): number => lines.filter((line) => line.kind === kind).length;
    const counts = {
      completed: countOf(outcomeKinds.completed),
      failed: countOf(outcomeKinds.failed),
    };
    const seal: Seal = { ...objects, counts, usage: totalUsage(lines) };
    await this.nextEpoch([], seal);
    const epochs = Array.from({ length: this.currentEpoch }, (_, at) => keys.epoch(at + 1));
    return { seal, ledgerKeys: isFirst ? epochs : undefined };
  }

  /** Counts and reports them. */
  reportDamaged(keys: readonly string[]): void {
    this.damaged += keys.length;
    keys.forEach(this.options.onDamaged);
  }

  private withRecent(segments: readonly OpenSegment[]): readonly OpenSegment[] {
    return segments.map((segment) => ({ ...segment, held: this.options.recent?.get(segment.key) }));
  }

  private forget(segments: readonly OpenSegment[]): void {
    segments.forEach(({ key }) => this.options.recent?.delete(key));
  }

  /** Runs a merge; drops the segments on which it fails, and then returns `undefined`. */
  private async unlessDamaged<T>(merge: () => Promise<T>): Promise<T | undefined> {
    try {
      return await merge();
    } catch (error) {
      if (!(error instanceof SegmentsDamaged)) {
        throw error;
      }
      const intact = this.segments.filter(({ key }) => !error.keys.includes(key));
      // A segment that a new owner has compacted away looks damaged too; then this throws.
      await this.nextEpoch(intact, null);
      this.reportDamaged(error.keys);
      return undefined;
    }
  }

  private async nextEpoch(segments: OpenSegment[], seal: Seal | null): Promise<void> {
    const epoch = this.currentEpoch + 1;
    if (!(await createEpoch(this.options, { epoch, segments, seal }))) {
      throw new ShardTakenOver('Another process has taken the shard over');
    }
    this.currentEpoch = epoch;
    this.sequence = 0;
    this.segments = segments;
  }
}

async function createEpoch(
  { store, keys, makeToken }: LedgerOptions,
  { epoch, segments, seal }: { epoch: number; segments: readonly OpenSegment[]; seal: Seal | null },
): Promise<boolean> {
  const key = keys.epoch(epoch);
  const record = {
    epoch,
    owner: makeToken(),
    segments: segments.map(({ key: segmentKey, summary }) => ({ key: segmentKey, ...summary })),
    seal,
  };
  return (await store.put(key, encodeEpoch(key, record), { ifAbsent: true })) !== undefined;
}

function countsOf(segments: readonly OpenSegment[]): ShardCounts {
  return segments.reduce<ShardCounts>(
    (sum, { summary }) => ({
      completed: sum.completed + summary.completed,
      failed: sum.failed + summary.failed,
    }),
    { completed: 0, failed: 0 },
  );
}
