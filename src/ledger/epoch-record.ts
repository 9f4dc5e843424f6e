/**
 * The record of an epoch: JSON with a checksum of itself and of the key that it was written for.
 *
 *     {"epoch":3,"owner":"…","segments":[…],"seal":null,"crc":2868340541}
 *
 * `crc` is the CRC-32, as in zlib, of the key followed by the text without `,"crc":…`. So a record
 * that was changed, cut, or copied from elsewhere is none.
 */
import { crc32 } from 'node:zlib';
import type { Seal } from './seal';
import type { SegmentSummary } from './segment';

/** A segment as an epoch names it. */
export interface NamedSegment extends SegmentSummary {
  readonly key: string;
}

export interface EpochRecord {
  readonly epoch: number;
  /** Tells this creation from every other, also to a writer that lost its answer. */
  readonly owner: string;
  readonly segments: readonly NamedSegment[];
  readonly seal: Seal | null;
}

export function encodeEpoch(key: string, record: EpochRecord): Buffer {
  const text = JSON.stringify(record);
  return Buffer.from(`${text.slice(0, -1)},"crc":${checksum(key, text)}}`);
}

/** `undefined` when the bytes are not the record that was written under this key. */
export function decodeEpoch(key: string, bytes: Buffer): EpochRecord | undefined {
  const written = bytes.toString('utf8');
  const ending = /,"crc":(\d{1,10})\}$/.exec(written.slice(-endingLengthMax));
  if (ending === null) {
    return withoutChecksum(key, written);
  }
  const text = `${written.slice(0, -ending[0].length)}}`;
  return Number(ending[1]) === checksum(key, text) ? (JSON.parse(text) as EpochRecord) : undefined;
}

const endingLengthMax = ',"crc":4294967295}'.length;

function checksum(key: string, text: string): number {
  return crc32(text, crc32(key));
}

/** A record of a version that wrote no checksum: nothing but its four members. */
function withoutChecksum(key: string, written: string): EpochRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) {
    return undefined;
  }
  const record = value as EpochRecord;
  const isRecord =
    Object.keys(record).join() === 'epoch,owner,segments,seal' &&
    Number(key.slice(key.lastIndexOf('/') + 1)) === record.epoch &&
    Array.isArray(record.segments);
  return isRecord ? record : undefined;
}
