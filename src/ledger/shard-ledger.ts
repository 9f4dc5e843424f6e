/**
 * The ledger of one shard: which request lines are answered, and the answers.
 *
 * One mechanism serves crash, takeover, hand-over and compaction. `epochs/{n}` is created only if
 * absent: whoever creates it owns epoch n. It names exactly the segments that count so far. Only the
 * owner of epoch n writes `segments/{n}-*`, and those count once a later epoch names them.
 *
 * - Taking over: read the newest epoch n, list `segments/{n}-*`, create epoch n+1 that names what n
 *   named and what was listed. Whatever a former owner still writes under n is ignored from then on:
 *   no lock and no clock is needed, and a process that only seems dead can do no harm.
 * - Compacting: write one larger segment, create the next epoch naming it instead of its parts, then
 *   delete the parts. It lies outside `segments/`, so that a crash before the new epoch leaves an
 *   object that nobody counts.
 * - Sealing: write the ordered output and error objects, then create an epoch that names them. No
 *   epoch follows a sealed one.
 *
 * Invariants: no ordinal is in two segments that one epoch names; everything that an epoch names was
 * complete before the epoch was created; counts are only ever taken from what an epoch names.
 */
import { compactedBytesMin } from '../domain/limits';
import type { ShardKeys } from '../domain/object-keys';
import type { Usage } from '../domain/usage';
import type { ShardCounts } from '../domain/workflow-contract';
import { getJson, putJson } from '../storage/json-object';
import type { ObjectStore } from '../storage/object-store';
import { writeCompacted, writeSealed } from './merged-objects';
import type { Seal } from './seal';
import { SegmentCorrupt, totalUsage, type OpenSegment } from './merge';
import {
  decodeFooter,
  decodeIndex,
  encodeSegment,
  footerBytes,
  segmentBytes,
  tailBytes,
  type SegmentLine,
  type SegmentSummary,
} from './segment';

/** A segment as an epoch names it. */
interface NamedSegment extends SegmentSummary {
  readonly key: string;
}

interface EpochRecord {
  readonly epoch: number;
  /** Tells this creation from every other, also to a writer that lost its answer. */
  readonly owner: string;
  readonly segments: readonly NamedSegment[];
  readonly seal: Seal | null;
}

/** Another process has taken the shard over; what this one still holds does not count. */
export class ShardTakenOver extends Error {
  override readonly name = 'ShardTakenOver';
}

export interface LedgerOptions {
  readonly store: ObjectStore;
  readonly keys: ShardKeys;
  /** Makes a token that no other call ever makes. */
  readonly makeToken: () => string;
  /** Told of each segment that is not what it should be; its lines are answered again. */
  readonly onCorrupt: (key: string) => void;
}

/** The seal of a shard, if it has one. */
export async function readSeal(store: ObjectStore, keys: ShardKeys): Promise<Seal | undefined> {
  return (await newestEpoch(store, keys))?.seal ?? undefined;
}

/**
 * Takes the shard's next epoch, or finds it sealed.
 *
 * @throws StoreFault when the store does not answer.
 */
export async function takeOver(
  options: LedgerOptions,
): Promise<{ readonly seal: Seal } | { readonly ledger: ShardLedger; readonly seal?: undefined }> {
  const { store, keys } = options;
  for (;;) {
    const newest = await newestEpoch(store, keys);
    if (newest?.seal) {
      return { seal: newest.seal };
    }
    const { segments, corruptKeys } = await countedSegments(options, newest);
    const epoch = (newest?.epoch ?? 0) + 1;
    // A segment that its owner compacted away meanwhile looks corrupt; then this loses the race.
    if (await createEpoch(options, { epoch, segments, seal: null })) {
      corruptKeys.forEach(options.onCorrupt);
      return { ledger: new ShardLedger(options, epoch, segments) };
    }
  }
}

/** The owner's side of one shard. Its methods must not overlap. */
export class ShardLedger {
  private sequence = 0;

  constructor(
    private readonly options: LedgerOptions,
    private currentEpoch: number,
    private segments: OpenSegment[],
  ) {}

  get epoch(): number {
    return this.currentEpoch;
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
    return totalUsage(this.segments);
  }

  /** Ordinals of the lines that have an answer. */
  answeredOrdinals(): Set<number> {
    return new Set(this.segments.flatMap(({ index }) => [...index.ordinals]));
  }

  /** Makes finished lines durable: when this resolves they survive every crash. */
  async commit(lines: readonly SegmentLine[]): Promise<void> {
    const key = this.options.keys.segment(this.currentEpoch, this.sequence);
    const { bytes, summary, index } = encodeSegment(lines);
    await this.options.store.put(key, bytes);
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
    const compacted = await this.unlessCorrupt(
      async () =>
        await writeCompacted(
          this.options.store,
          this.options.keys.compacted(this.currentEpoch),
          small,
        ),
    );
    if (compacted === undefined) {
      return;
    }
    const kept = this.segments.filter((segment) => !small.includes(segment));
    await this.nextEpoch([...kept, compacted], null);
    await this.options.store.delete(small.map(({ key }) => key));
  }

  /**
   * Writes the ordered objects and closes the ledger. All lines of the shard must have an answer.
   *
   * @returns `undefined` when a segment turned out to be corrupt: it is dropped, and its lines have
   *   to be answered again.
   * @throws {@link ShardTakenOver}
   */
  async seal(): Promise<Seal | undefined> {
    const { store, keys } = this.options;
    const objects = await this.unlessCorrupt(
      async () =>
        await writeSealed(store, this.segments, {
          output: keys.sealedOutput(this.currentEpoch),
          errors: keys.sealedErrors(this.currentEpoch),
        }),
    );
    if (objects === undefined) {
      return undefined;
    }
    const seal: Seal = { ...objects, counts: this.counts, usage: this.usage };
    await this.nextEpoch(this.segments, seal);
    return seal;
  }

  /** Runs a merge; drops the segment on which it fails, and then returns `undefined`. */
  private async unlessCorrupt<T>(merge: () => Promise<T>): Promise<T | undefined> {
    try {
      return await merge();
    } catch (error) {
      if (!(error instanceof SegmentCorrupt)) {
        throw error;
      }
      const intact = this.segments.filter(({ key }) => key !== error.key);
      // A segment that a new owner has compacted away looks corrupt too; then this throws.
      await this.nextEpoch(intact, null);
      this.options.onCorrupt(error.key);
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
  const record: EpochRecord = {
    epoch,
    owner: makeToken(),
    segments: segments.map(({ key, summary }) => ({ key, ...summary })),
    seal,
  };
  return (await putJson(store, keys.epoch(epoch), record, { ifAbsent: true })) !== undefined;
}

async function newestEpoch(store: ObjectStore, keys: ShardKeys): Promise<EpochRecord | undefined> {
  let newestKey: string | undefined;
  let page;
  do {
    page = await store.list(keys.epochsPrefix, newestKey === undefined ? {} : { after: newestKey });
    newestKey = page.items.at(-1)?.key ?? newestKey;
  } while (page.hasMore);
  return newestKey === undefined
    ? undefined
    : (await getJson<EpochRecord>(store, newestKey))?.value;
}

/** What an epoch named, and what its owner has committed since; corrupt segments left out. */
async function countedSegments(
  options: LedgerOptions,
  newest: EpochRecord | undefined,
): Promise<{ segments: OpenSegment[]; corruptKeys: string[] }> {
  if (newest === undefined) {
    return { segments: [], corruptKeys: [] };
  }
  const named = newest.segments.map(({ key, ...summary }) => ({
    key,
    sizeBytes: segmentBytes(summary.lineCount, summary.linesBytes),
  }));
  const committed = await listAll(options.store, options.keys.segmentsOf(newest.epoch));
  const segments: OpenSegment[] = [];
  const corruptKeys: string[] = [];
  for (const { key, sizeBytes } of [...named, ...committed]) {
    const segment = await openSegment(options.store, key, sizeBytes);
    if (segment === undefined) {
      corruptKeys.push(key);
    } else {
      segments.push(segment);
    }
  }
  return { segments, corruptKeys };
}

async function listAll(
  store: ObjectStore,
  prefix: string,
): Promise<{ key: string; sizeBytes: number }[]> {
  const found: { key: string; sizeBytes: number }[] = [];
  let page;
  do {
    const after = found.at(-1)?.key;
    page = await store.list(prefix, after === undefined ? {} : { after });
    found.push(...page.items);
  } while (page.hasMore);
  return found;
}

/** Large enough for the index of a thousand lines: most segments need one read. */
const tailReadBytes = 16_384 + footerBytes;

async function openSegment(
  store: ObjectStore,
  key: string,
  sizeBytes: number,
): Promise<OpenSegment | undefined> {
  const tail = await readTail(store, key, { sizeBytes, length: tailReadBytes });
  const summary = tail && decodeFooter(tail.subarray(-footerBytes), sizeBytes);
  if (tail === undefined || summary === undefined) {
    return undefined;
  }
  const wanted = tailBytes(summary.lineCount);
  const whole =
    wanted <= tail.length ? tail : await readTail(store, key, { sizeBytes, length: wanted });
  const index = whole && decodeIndex(whole.subarray(-wanted, -footerBytes), summary);
  return index && { key, summary, index };
}

async function readTail(
  store: ObjectStore,
  key: string,
  { sizeBytes, length }: { readonly sizeBytes: number; readonly length: number },
): Promise<Buffer | undefined> {
  const read = Math.min(sizeBytes, length);
  return read < footerBytes
    ? undefined
    : await store.getRange(key, { offset: sizeBytes - read, length: read });
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
