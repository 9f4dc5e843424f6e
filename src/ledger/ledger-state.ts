/**
 * What the objects of a shard say about it, whatever became of them: its newest epoch, and the
 * segments that count.
 *
 * Normally these are the segments that the newest epoch names, and those that its owner has written
 * since. A segment that is not what it was, or is gone, is left out: its lines have no answer.
 *
 * An epoch record that is damaged, or gone although its owner has left segments, still occupies its
 * number. What counts is then worked out from the newest intact epoch m below it: from what that
 * names, and from all that the owners of m and of later epochs have written, newest first. A segment
 * counts when it is intact and none of its ordinals counts already; so nothing is ever counted twice.
 * Nor is anything intact lost that counted before: an owner never answers what earlier epochs named,
 * so only what was written by somebody already taken over can share ordinals with a later owner,
 * and that one comes first. A compacted object comes before its parts, of which some may be gone.
 *
 * None of this decides anything: creating the next epoch does. Whoever has read while others wrote
 * loses that race, and reads again.
 */
import type { ShardKeys } from '../domain/object-keys';
import type { Shard } from '../domain/shard-plan';
import { compareKeys, type ListedObject, type ObjectStore } from '../storage/object-store';
import { decodeEpoch, type EpochRecord, type NamedSegment } from './epoch-record';
import type { OpenSegment } from './merge';
import { readUnlessLost } from './read-unless-lost';
import {
  decodeFooter,
  decodeIndex,
  footerBytes,
  segmentBytes,
  tailBytes,
  type SegmentSummary,
} from './segment';

export interface ShardObjects {
  readonly store: ObjectStore;
  readonly keys: ShardKeys;
}

export interface NewestEpoch {
  /** Of the newest intact epoch; `undefined` when there is none. */
  readonly record: EpochRecord | undefined;
  /** Numbers that have a record, ascending. */
  readonly numbers: readonly number[];
  /** Records above the intact one that are damaged. */
  readonly damagedKeys: readonly string[];
  /** All objects of the shard; `undefined` when they are more than one call lists. */
  readonly listed: readonly ListedObject[] | undefined;
}

export interface CountedSegments {
  /** The highest number that is taken; 0 when the shard has no epoch. */
  readonly newest: number;
  readonly segments: OpenSegment[];
  /** Segments that should count, but are not what was written. */
  readonly damagedKeys: readonly string[];
}

export async function readNewestEpoch({ store, keys }: ShardObjects): Promise<NewestEpoch> {
  // A call is dear to the store, and most shards have few objects.
  const { items, hasMore } = await store.list(keys.prefix);
  const listed = hasMore ? undefined : items;
  const epochs = listed?.filter(({ key }) => key.startsWith(keys.epochsPrefix));
  const objects = (epochs ?? (await listAll(store, keys.epochsPrefix))).filter(
    ({ key }) => !Number.isNaN(epochOf(key)),
  );
  const numbers = objects.map(({ key }) => epochOf(key));
  const damagedKeys: string[] = [];
  for (const object of objects.toReversed()) {
    const record = await readEpoch(store, object);
    if (record !== undefined) {
      return { record, numbers, damagedKeys, listed };
    }
    damagedKeys.push(object.key);
  }
  return { record: undefined, numbers, damagedKeys, listed };
}

/** `undefined` when there is no intact record. */
async function readEpoch(
  store: ObjectStore,
  { key, sizeBytes }: ListedObject,
): Promise<EpochRecord | undefined> {
  if (sizeBytes > epochBytesMax) {
    return undefined;
  }
  const stored = await readUnlessLost(store, key, async () => await store.get(key));
  return stored && decodeEpoch(key, stored.bytes);
}

/**
 * Opens what counts of a shard that has this newest epoch.
 *
 * @param shard which ordinals there may be.
 * @returns `undefined` when an epoch was created meanwhile: everything has to be read again.
 */
export async function readCounted(
  objects: ShardObjects,
  shard: Pick<Shard, 'firstOrdinal' | 'lineCount'>,
  { record, numbers, listed }: NewestEpoch,
): Promise<CountedSegments | undefined> {
  const intact = record?.epoch ?? 0;
  const written = await openWritten(objects, intact, listed);
  const opened = written.flatMap(({ segment, epoch }) => (segment === undefined ? [] : [epoch]));
  const newest = Math.max(intact, ...numbers, ...opened);
  if (!(await occupyMissing(objects, { numbers, intact, newest }))) {
    return undefined;
  }
  const named = await openNamed(objects.store, record?.segments ?? []);
  const counted = new Counted(shard);
  // Not named, and so made of what counts by itself — unless the epoch that names it is gone.
  const isLeftOver = ({ isCompacted }: Candidate): boolean => isCompacted && newest === intact;
  const candidates = [
    ...written.filter((candidate) => !isLeftOver(candidate)).toSorted(newestFirst),
    ...named,
    ...written.filter(isLeftOver),
  ];
  for (const { segment } of candidates) {
    if (segment !== undefined) {
      counted.add(segment);
    }
  }
  // Where an epoch is missing, what an earlier one names may rightly be gone.
  const expected = newest === intact ? [...named, ...written] : written;
  const damaged = expected.filter(({ segment }) => segment === undefined);
  return { newest, segments: counted.segments, damagedKeys: damaged.map(({ key }) => key) };
}

/** An object that may count; without a segment it is damaged or gone. */
interface Opened {
  readonly key: string;
  readonly segment: OpenSegment | undefined;
}

interface Candidate extends Opened {
  readonly epoch: number;
  readonly isCompacted: boolean;
}

/** What the owners of an epoch and of later ones have written. */
async function openWritten(
  { store, keys }: ShardObjects,
  fromEpoch: number,
  listed: readonly ListedObject[] | undefined,
): Promise<readonly Candidate[]> {
  const listBehind = async (prefix: string, after: string): Promise<readonly ListedObject[]> =>
    listed?.filter(({ key }) => key.startsWith(prefix) && compareKeys(key, after) > 0) ??
    (await listAll(store, prefix, after));
  const segments = await listBehind(keys.segmentsPrefix, keys.segmentsOf(fromEpoch));
  const before = keys.compacted(Math.max(0, fromEpoch - 1));
  const compacted = await listBehind(keys.compactedPrefix, before);
  const candidates: Candidate[] = [];
  for (const { key, sizeBytes } of [...segments, ...compacted]) {
    const epoch = epochOf(key);
    if (!Number.isNaN(epoch)) {
      const segment = await openSegment(store, { key, sizeBytes });
      const isCompacted = key.startsWith(keys.compactedPrefix);
      candidates.push({ key, segment, epoch, isCompacted });
    }
  }
  return candidates;
}

/** A record was there before anything that its owner wrote. */
async function occupyMissing(
  { store, keys }: ShardObjects,
  epochs: {
    readonly numbers: readonly number[];
    readonly intact: number;
    readonly newest: number;
  },
): Promise<boolean> {
  const taken = new Set(epochs.numbers);
  for (let epoch = epochs.intact + 1; epoch <= epochs.newest; epoch++) {
    if (!taken.has(epoch)) {
      // Else its owner's zombie, or that of the epoch before, could go on from there.
      const occupied = await store.put(keys.epoch(epoch), Buffer.alloc(0), { ifAbsent: true });
      if (occupied === undefined) {
        return false;
      }
    }
  }
  return true;
}

async function openNamed(
  store: ObjectStore,
  segments: readonly NamedSegment[],
): Promise<readonly Opened[]> {
  const opened: Opened[] = [];
  for (const { key, ...summary } of segments) {
    const sizeBytes = segmentBytes(summary.lineCount, summary.linesBytes);
    const segment = await openSegment(store, { key, sizeBytes });
    const isSame = segment !== undefined && isSameSegment(segment.summary, summary);
    opened.push({ key, segment: isSame ? segment : undefined });
  }
  return opened;
}

function isSameSegment(found: SegmentSummary, named: SegmentSummary): boolean {
  return (
    found.lineCount === named.lineCount &&
    found.linesCrc === named.linesCrc &&
    found.indexCrc === named.indexCrc
  );
}

function newestFirst(a: Candidate, b: Candidate): number {
  return b.epoch - a.epoch || Number(b.isCompacted) - Number(a.isCompacted);
}

/** Segments of which no two have an ordinal in common, and none one that is not the shard's. */
class Counted {
  readonly segments: OpenSegment[] = [];
  private readonly ordinals = new Set<number>();

  constructor(private readonly shard: Pick<Shard, 'firstOrdinal' | 'lineCount'>) {}

  add(segment: OpenSegment): void {
    const { firstOrdinal, lineCount } = this.shard;
    const { ordinals } = segment.index;
    const isNew = ordinals.every(
      (ordinal) =>
        ordinal >= firstOrdinal &&
        ordinal < firstOrdinal + lineCount &&
        !this.ordinals.has(ordinal),
    );
    if (isNew) {
      ordinals.forEach((ordinal) => this.ordinals.add(ordinal));
      this.segments.push(segment);
    }
  }
}

/**
 * Far beyond what a shard reaches in a day: each epoch takes a slice, or 64 segments. What somebody
 * put behind it is not the shard's; filling the gap up to there would keep the shard for ever.
 */
const epochMax = 1_000_000;
/** Three times the record of the largest shard, which names some 20,000 segments. */
const epochBytesMax = 16_777_216;

/** NaN for an object that no owner wrote. */
function epochOf(key: string): number {
  const epoch = Number(/\/(\d{8})(?:-\d{8})?$/.exec(key)?.[1]);
  return epoch <= epochMax ? epoch : NaN;
}

async function listAll(
  store: ObjectStore,
  prefix: string,
  after?: string,
): Promise<readonly ListedObject[]> {
  const limit = Number.MAX_SAFE_INTEGER;
  return (await store.list(prefix, { limit, ...(after !== undefined && { after }) })).items;
}

/** Large enough for the index of a thousand lines: most segments need one read. */
const tailReadBytes = 16_384 + footerBytes;

/** `undefined` when there is no intact segment of this size. */
async function openSegment(
  store: ObjectStore,
  object: ListedObject,
): Promise<OpenSegment | undefined> {
  const tail = await readTail(store, object, tailReadBytes);
  const summary = tail && decodeFooter(tail.subarray(-footerBytes), object);
  if (tail === undefined || summary === undefined) {
    return undefined;
  }
  const wanted = tailBytes(summary.lineCount);
  const whole = wanted <= tail.length ? tail : await readTail(store, object, wanted);
  const index = whole && decodeIndex(whole.subarray(-wanted, -footerBytes), summary);
  return index && { key: object.key, summary, index };
}

async function readTail(
  store: ObjectStore,
  { key, sizeBytes }: ListedObject,
  length: number,
): Promise<Buffer | undefined> {
  const read = Math.min(sizeBytes, length);
  const range = { offset: sizeBytes - read, length: read };
  return read < footerBytes
    ? undefined
    : await readUnlessLost(store, key, async () => await store.getRange(key, range));
}
