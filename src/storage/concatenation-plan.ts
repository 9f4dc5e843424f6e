/**
 * How to string slices of objects together with S3's multipart upload.
 *
 * The store copies parts by itself, but refuses parts below 5 MiB, except the last. So what is too
 * small to be copied is gathered, in order, into parts that are read and sent; a large run gives
 * away its first bytes where they are needed to bring such a part to the minimum.
 */
import { partBytes, partBytesMin, partCopyBytesMax, partCountMax } from '../domain/limits';
import type { ObjectSlice } from './object-store';

/** `copied` is done by the store; the slices of `read` are read and sent in one piece. */
export type ConcatenationPart =
  | { readonly copied: ObjectSlice; readonly read?: undefined }
  | { readonly read: readonly ObjectSlice[]; readonly copied?: undefined };

export interface PartLimits {
  readonly partBytesMin: number;
  readonly partCopyBytesMax: number;
  /** Most that is read into one part; at least three times the minimum. */
  readonly partReadBytesMax: number;
  readonly partCountMax: number;
}

const s3Limits: PartLimits = {
  partBytesMin,
  partCopyBytesMax,
  partReadBytesMax: partBytes,
  partCountMax,
};

/**
 * The parts, in order: they cover every byte of the slices once. Every part but the last has the
 * minimum size, which rises where there would otherwise be too many parts. None for no bytes.
 */
export function planConcatenation(
  slices: readonly ObjectSlice[],
  limits: PartLimits = s3Limits,
): ConcatenationPart[] {
  const planner = new Planner(stretch(limits, sizeOf(slices)));
  for (const run of runsOf(slices)) {
    planner.add(run);
  }
  return planner.finish();
}

export function sizeOf(slices: readonly ObjectSlice[]): number {
  return slices.reduce((sum, slice) => sum + slice.length, 0);
}

class Planner {
  private readonly parts: ConcatenationPart[] = [];
  private gathered: ObjectSlice[] = [];
  private gatheredBytes = 0;

  constructor(private readonly limits: PartLimits) {}

  add(run: ObjectSlice): void {
    const missing = this.bytesMissing();
    if (run.length - missing >= this.limits.partBytesMin) {
      this.gather({ ...run, length: missing });
      this.flush();
      this.copy({ ...run, offset: run.offset + missing, length: run.length - missing });
      return;
    }
    if (this.gatheredBytes + run.length > this.limits.partReadBytesMax) {
      this.flush();
    }
    this.gather(run);
  }

  finish(): ConcatenationPart[] {
    this.flush();
    return this.parts;
  }

  /** What the gathered bytes need to be a part; nothing where nothing is gathered. */
  private bytesMissing(): number {
    return this.gatheredBytes === 0
      ? 0
      : Math.max(0, this.limits.partBytesMin - this.gatheredBytes);
  }

  private gather(slice: ObjectSlice): void {
    if (slice.length > 0) {
      this.gathered.push(slice);
      this.gatheredBytes += slice.length;
    }
  }

  private flush(): void {
    if (this.gathered.length > 0) {
      this.parts.push({ read: this.gathered });
      this.gathered = [];
      this.gatheredBytes = 0;
    }
  }

  /** In equal pieces, as a short last one could be below the minimum. */
  private copy(run: ObjectSlice): void {
    const count = Math.ceil(run.length / this.limits.partCopyBytesMax);
    for (let index = 0; index < count; index += 1) {
      const from = Math.floor((index * run.length) / count);
      const to = Math.floor(((index + 1) * run.length) / count);
      this.parts.push({ copied: { ...run, offset: run.offset + from, length: to - from } });
    }
  }
}

/** Slices that continue each other become one. */
function runsOf(slices: readonly ObjectSlice[]): ObjectSlice[] {
  const runs: ObjectSlice[] = [];
  for (const slice of slices.filter(({ length }) => length > 0)) {
    const last = runs.at(-1);
    if (last?.key === slice.key && last.offset + last.length === slice.offset) {
      runs[runs.length - 1] = { ...last, length: last.length + slice.length };
    } else {
      runs.push(slice);
    }
  }
  return runs;
}

/** Raises the sizes so that parts of the minimum size cannot become too many. */
function stretch(limits: PartLimits, sizeBytes: number): PartLimits {
  const min = Math.max(limits.partBytesMin, Math.ceil(sizeBytes / limits.partCountMax));
  return {
    partBytesMin: min,
    partCopyBytesMax: Math.max(limits.partCopyBytesMax, 2 * min),
    partReadBytesMax: Math.max(limits.partReadBytesMax, 3 * min),
    partCountMax: limits.partCountMax,
  };
}
