/** The record of an epoch: JSON with a checksum. */
import { decodeChecked, encodeChecked } from '../storage/checked-json';
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
  return encodeChecked(key, record);
}

/** `undefined` when the bytes are not the record that was written under this key. */
export function decodeEpoch(key: string, bytes: Buffer): EpochRecord | undefined {
  const number = Number(key.slice(key.lastIndexOf('/') + 1));
  return decodeChecked<EpochRecord>(
    key,
    bytes,
    (value) =>
      Object.keys(value).join() === 'epoch,owner,segments,seal' &&
      value.epoch === number &&
      Array.isArray(value.segments),
  );
}
