/**
 * Merges the lines of several segments into one ascending order, for compaction and sealing.
 *
 * The order is worked out from the indexes alone, in memory (17 bytes a line); neighbouring lines of
 * one segment become one run, and only runs are read and written. Lines of one segment are read in
 * the order in which they lie in it, so its checksum can be followed on the way.
 */
import { crc32 } from 'node:zlib';
import type { ByteRange, ObjectStore } from '../storage/object-store';
import { readUnlessLost } from './read-unless-lost';
import { emptyIndex, type SegmentIndex, type SegmentSummary } from './segment';

/** A segment with what is needed to read its lines. */
export interface OpenSegment {
  readonly key: string;
  readonly summary: SegmentSummary;
  readonly index: SegmentIndex;
  /** Begins with its lines, where this process still holds them: they need not be read. */
  readonly held?: Buffer | undefined;
}

/** Neighbouring bytes of one segment that stay neighbours in the result. */
interface Run {
  readonly segment: OpenSegment;
  readonly offset: number;
  length: number;
  readonly kind: number;
}

/** The lines of some segments are not what their footers promised; `keys` says whose. */
export class SegmentsDamaged extends Error {
  override readonly name = 'SegmentsDamaged';

  constructor(readonly keys: readonly string[]) {
    super(`The lines of segments do not match their checksums [keys=${keys.join(', ')}]`);
  }
}

interface Position {
  readonly segment: OpenSegment;
  readonly at: number;
}

/** The index that the merged lines have. No ordinal may occur in two segments. */
export function mergedIndex(segments: readonly OpenSegment[]): SegmentIndex {
  const positions = sortedPositions(segments);
  const merged = emptyIndex(positions.length);
  let offset = 0;
  positions.forEach(({ segment: { index }, at }, to) => {
    const length = index.lengths[at] ?? 0;
    merged.ordinals[to] = index.ordinals[at] ?? 0;
    merged.offsets[to] = offset;
    merged.lengths[to] = length;
    merged.kinds[to] = index.kinds[at] ?? 0;
    offset += length;
  });
  return merged;
}

/** Bytes of consecutive lines that are all of one kind. */
export interface MergedBytes {
  readonly bytes: Buffer;
  readonly kind: number;
}

/**
 * Reads the lines of all segments in ascending order of ordinals.
 *
 * @throws {@link SegmentsDamaged} after the last line at the latest; what was read until then must
 *   not be used.
 */
export async function* readMerged(
  store: ObjectStore,
  segments: readonly OpenSegment[],
): AsyncGenerator<MergedBytes> {
  const share = Math.floor(mergeBytesMax / Math.max(1, segments.length));
  const blockBytes = Math.min(blockBytesMax, Math.max(blockBytesMin, share));
  const readers = new Map(
    segments.map((segment) => [segment, new SegmentReader(store, segment, blockBytes)]),
  );
  for (const run of runsOf(segments)) {
    const reader = readers.get(run.segment);
    if (reader !== undefined) {
      for await (const bytes of reader.read(run.length)) {
        yield { bytes, kind: run.kind };
      }
    }
  }
  const damaged = segments.filter((segment) => readers.get(segment)?.isWhole !== true);
  if (damaged.length > 0) {
    throw new SegmentsDamaged(damaged.map(({ key }) => key));
  }
}

function runsOf(segments: readonly OpenSegment[]): Run[] {
  const runs: Run[] = [];
  for (const { segment, at } of sortedPositions(segments)) {
    const offset = segment.index.offsets[at] ?? 0;
    const length = segment.index.lengths[at] ?? 0;
    const kind = segment.index.kinds[at] ?? 0;
    const last = runs.at(-1);
    if (last?.segment === segment && last.kind === kind) {
      last.length += length;
    } else {
      runs.push({ segment, offset, length, kind });
    }
  }
  return runs;
}

function sortedPositions(segments: readonly OpenSegment[]): Position[] {
  const positions = segments.flatMap((segment) =>
    Array.from(segment.index.ordinals, (_, at): Position => ({ segment, at })),
  );
  return positions.sort((a, b) => ordinalOf(a) - ordinalOf(b));
}

function ordinalOf(position: Position): number {
  return position.segment.index.ordinals[position.at] ?? 0;
}

/** What one merge holds at a time: a block of every segment that it has begun to read. */
const mergeBytesMax = 16_777_216;
const blockBytesMin = 65_536;
const blockBytesMax = 1_048_576;

/** Reads the lines of one segment from first to last, a block at a time. */
class SegmentReader {
  private block: Buffer = Buffer.alloc(0);
  private next = 0;
  private crc = 0;

  constructor(
    private readonly store: ObjectStore,
    private readonly segment: OpenSegment,
    private readonly blockBytes: number,
  ) {}

  async *read(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      if (this.block.length === 0) {
        this.block = await this.readBlock();
      }
      const bytes = this.block.subarray(0, missing);
      this.block = this.block.subarray(bytes.length);
      missing -= bytes.length;
      yield bytes;
    }
  }

  /** All lines were read, and are those that were written. */
  get isWhole(): boolean {
    const { linesBytes, linesCrc } = this.segment.summary;
    return this.next === linesBytes && this.crc === linesCrc;
  }

  private async readBlock(): Promise<Buffer> {
    const { key, summary } = this.segment;
    const length = Math.min(this.blockBytes, summary.linesBytes - this.next);
    const block = length > 0 ? await this.readRange({ offset: this.next, length }) : undefined;
    if (block === undefined) {
      throw new SegmentsDamaged([key]);
    }
    this.next += length;
    this.crc = crc32(block, this.crc);
    return block;
  }

  private async readRange(range: ByteRange): Promise<Buffer | undefined> {
    const { key, held } = this.segment;
    if (held !== undefined) {
      return held.subarray(range.offset, range.offset + range.length);
    }
    const read = async (): Promise<Buffer | undefined> => await this.store.getRange(key, range);
    return await readUnlessLost(this.store, key, read);
  }
}
