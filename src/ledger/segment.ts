/**
 * The format of a segment: result lines of one shard, with an index that can be read without them.
 *
 *     lines     result lines one after another, ascending by ordinal, each ending in a line feed
 *     index     16 bytes a line:  ordinal u32 · offset u48 · length u32 · kind u8 · zero u8
 *     footer    80 bytes:         magic "LHSEG001" · line count u32 · bytes of lines u48
 *                                 crc of lines u32 · crc of index u32
 *                                 completed u32 · failed u32
 *                                 input, cached, output, reasoning, total tokens u48 each
 *                                 crc of the object's key u32 · zero u64
 *                                 crc of the footer's first 76 bytes u32
 *
 * All numbers are big-endian; crc is CRC-32 as in zlib. `offset` counts from the start of the lines.
 * `kind` is one of `outcomeKinds`. A segment is valid when both of its small checksums match, its
 * size is lines + index + footer, and it lies where it was written: a copy of another segment is
 * none. The checksum of the lines is compared when they are merged.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { copiedBytesMax } from '../domain/copy-in-turns';
import { outcomeKinds } from '../domain/outcome';
import { totalUsage, type Usage } from '../domain/usage';

export const footerBytes = 80;
const indexEntryBytes = 16;
const magic = Buffer.from('LHSEG001', 'latin1');
/** In segments of versions that did not write the key's checksum. */
const keyUnknown = 0;

/** One finished line. */
export interface SegmentLine {
  readonly ordinal: number;
  readonly kind: number;
  /** Bytes that follow one another; the last one is a line feed. */
  readonly pieces: readonly Uint8Array[];
  readonly usage: Usage;
}

/** What the footer says. Byte counts exclude index and footer. */
export interface SegmentSummary {
  readonly lineCount: number;
  readonly linesBytes: number;
  readonly linesCrc: number;
  readonly indexCrc: number;
  readonly completed: number;
  readonly failed: number;
  readonly usage: Usage;
}

/** Where the lines of a segment are, in ascending order of ordinals. */
export interface SegmentIndex {
  readonly ordinals: Uint32Array;
  readonly offsets: Float64Array;
  readonly lengths: Uint32Array;
  readonly kinds: Uint8Array;
}

export interface EncodedSegment {
  readonly bytes: Buffer;
  readonly summary: SegmentSummary;
  readonly index: SegmentIndex;
}

/**
 * Encodes lines, at least one, in any order, no ordinal twice, for the object with this key. Large
 * ones take some turns of the event loop.
 */
export async function encodeSegment(
  key: string,
  lines: readonly SegmentLine[],
): Promise<EncodedSegment> {
  const sorted = lines.toSorted((a, b) => a.ordinal - b.ordinal);
  const linesBytes = sorted.reduce((sum, line) => sum + lineBytes(line), 0);
  const bytes = Buffer.allocUnsafe(segmentBytes(sorted.length, linesBytes));
  const index = emptyIndex(sorted.length);
  const target = { bytes, at: 0, checked: 0, crc: 0 };
  for (const [at, line] of sorted.entries()) {
    index.ordinals[at] = line.ordinal;
    index.offsets[at] = target.at;
    index.kinds[at] = line.kind;
    const from = target.at;
    for (const piece of line.pieces) {
      bytes.set(piece, target.at);
      target.at += piece.length;
      if (target.at - target.checked >= copiedBytesMax) {
        check(target);
        await nextTurn();
      }
    }
    index.lengths[at] = target.at - from;
  }
  const linesCrc = check(target);
  const usage = totalUsage(sorted);
  const { tail, summary } = encodeTail(key, index, { linesBytes, linesCrc, usage });
  bytes.set(tail, linesBytes);
  return { bytes, summary, index };
}

interface CheckedBytes {
  readonly bytes: Buffer;
  /** How many there are so far, and of how many `crc` is. */
  readonly at: number;
  checked: number;
  crc: number;
}

function check(target: CheckedBytes): number {
  target.crc = crc32(target.bytes.subarray(target.checked, target.at), target.crc);
  target.checked = target.at;
  return target.crc;
}

/** Size of a line in bytes. */
export function lineBytes({ pieces }: SegmentLine): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** Index and footer of a segment whose lines are known: what follows them in the object. */
export function encodeTail(
  key: string,
  index: SegmentIndex,
  lines: Pick<SegmentSummary, 'linesBytes' | 'linesCrc' | 'usage'>,
): { readonly tail: Buffer; readonly summary: SegmentSummary } {
  const lineCount = index.ordinals.length;
  const tail = Buffer.alloc(lineCount * indexEntryBytes + footerBytes);
  const indexPart = tail.subarray(0, lineCount * indexEntryBytes);
  writeIndex(indexPart, index);
  const summary: SegmentSummary = {
    ...lines,
    lineCount,
    indexCrc: crc32(indexPart),
    completed: countOf(index.kinds, outcomeKinds.completed),
    failed: countOf(index.kinds, outcomeKinds.failed),
  };
  writeFooter(tail.subarray(indexPart.length), key, summary);
  return { tail, summary };
}

/** Size of a segment in bytes. */
export function segmentBytes(lineCount: number, linesBytes: number): number {
  return linesBytes + tailBytes(lineCount);
}

/** Size of index and footer in bytes. */
export function tailBytes(lineCount: number): number {
  return lineCount * indexEntryBytes + footerBytes;
}

/** `undefined` when the footer is not one, or not that of an object with this key and size. */
export function decodeFooter(
  footer: Buffer,
  { key, sizeBytes }: { readonly key: string; readonly sizeBytes: number },
): SegmentSummary | undefined {
  if (
    footer.length !== footerBytes ||
    !footer.subarray(0, magic.length).equals(magic) ||
    footer.readUInt32BE(76) !== crc32(footer.subarray(0, 76))
  ) {
    return undefined;
  }
  const keyCrc = footer.readUInt32BE(64);
  if (keyCrc !== crc32(key) && keyCrc !== keyUnknown) {
    return undefined;
  }
  const summary: SegmentSummary = {
    lineCount: footer.readUInt32BE(8),
    linesBytes: footer.readUIntBE(12, 6),
    linesCrc: footer.readUInt32BE(18),
    indexCrc: footer.readUInt32BE(22),
    completed: footer.readUInt32BE(26),
    failed: footer.readUInt32BE(30),
    usage: {
      inputTokens: footer.readUIntBE(34, 6),
      cachedTokens: footer.readUIntBE(40, 6),
      outputTokens: footer.readUIntBE(46, 6),
      reasoningTokens: footer.readUIntBE(52, 6),
      totalTokens: footer.readUIntBE(58, 6),
    },
  };
  return segmentBytes(summary.lineCount, summary.linesBytes) === sizeBytes ? summary : undefined;
}

/** `undefined` when the bytes are not the index that the summary describes. */
export function decodeIndex(bytes: Buffer, summary: SegmentSummary): SegmentIndex | undefined {
  if (bytes.length !== summary.lineCount * indexEntryBytes || crc32(bytes) !== summary.indexCrc) {
    return undefined;
  }
  const index = emptyIndex(summary.lineCount);
  for (let at = 0; at < summary.lineCount; at++) {
    const entry = at * indexEntryBytes;
    index.ordinals[at] = bytes.readUInt32BE(entry);
    index.offsets[at] = bytes.readUIntBE(entry + 4, 6);
    index.lengths[at] = bytes.readUInt32BE(entry + 10);
    index.kinds[at] = bytes.readUInt8(entry + 14);
  }
  return index;
}

export function emptyIndex(lineCount: number): SegmentIndex {
  return {
    ordinals: new Uint32Array(lineCount),
    offsets: new Float64Array(lineCount),
    lengths: new Uint32Array(lineCount),
    kinds: new Uint8Array(lineCount),
  };
}

function writeIndex(target: Buffer, index: SegmentIndex): void {
  index.ordinals.forEach((ordinal, at) => {
    const entry = at * indexEntryBytes;
    target.writeUInt32BE(ordinal, entry);
    target.writeUIntBE(index.offsets[at] ?? 0, entry + 4, 6);
    target.writeUInt32BE(index.lengths[at] ?? 0, entry + 10);
    target.writeUInt8(index.kinds[at] ?? 0, entry + 14);
  });
}

function writeFooter(footer: Buffer, key: string, summary: SegmentSummary): void {
  const { usage } = summary;
  footer.set(magic, 0);
  footer.writeUInt32BE(summary.lineCount, 8);
  footer.writeUIntBE(summary.linesBytes, 12, 6);
  footer.writeUInt32BE(summary.linesCrc, 18);
  footer.writeUInt32BE(summary.indexCrc, 22);
  footer.writeUInt32BE(summary.completed, 26);
  footer.writeUInt32BE(summary.failed, 30);
  footer.writeUIntBE(usage.inputTokens, 34, 6);
  footer.writeUIntBE(usage.cachedTokens, 40, 6);
  footer.writeUIntBE(usage.outputTokens, 46, 6);
  footer.writeUIntBE(usage.reasoningTokens, 52, 6);
  footer.writeUIntBE(usage.totalTokens, 58, 6);
  footer.writeUInt32BE(crc32(key), 64);
  footer.writeUInt32BE(crc32(footer.subarray(0, 76)), 76);
}

function countOf(kinds: Uint8Array, kind: number): number {
  return kinds.reduce((count, each) => (each === kind ? count + 1 : count), 0);
}
