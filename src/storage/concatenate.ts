/** Carries out the plan of a concatenation. */
import { createHash } from 'node:crypto';
import { planConcatenation, sizeOf, type ConcatenationPart } from './concatenation-plan';
import {
  MultipartUpload,
  type MultipartCalls,
  type PartRef,
  type StoredPart,
  type UploadRef,
} from './multipart-upload';
import {
  StoreFault,
  type CertainRange,
  type ObjectInfo,
  type ObjectSlice,
  type Resumption,
} from './object-store';
import { TaskGroup } from './task-group';

export interface ConcatenateCalls extends MultipartCalls {
  getRange(key: string, range: CertainRange): Promise<Buffer | undefined>;
  /** The parts of an upload that is not completed, by number; `undefined` when there is none. */
  storedParts(upload: UploadRef): Promise<StoredParts | undefined>;
}

export type StoredParts = ReadonlyMap<number, StoredPart>;

const partsMax = 4;
const readsMax = 8;

/**
 * A repetition writes the same bytes again; nothing is visible before all of them are there. A failure
 * leaves nothing to go on with: it is the death of the process that does.
 */
export async function concatenate(
  calls: ConcatenateCalls,
  key: string,
  slices: readonly ObjectSlice[],
  resumption?: Resumption,
): Promise<ObjectInfo> {
  const parts = planConcatenation(slices);
  const [first] = parts;
  if (first?.copied === undefined && parts.length <= 1) {
    return await calls.putWhole(key, await readSlices(calls, first?.read ?? []));
  }
  const { ref, stored } = await openUpload(calls, { key, parts, resumption });
  const upload = new MultipartUpload(calls, ref, { parallelMax: partsMax });
  try {
    for (const part of parts) {
      await upload.add(
        async (to) => stored.get(to.partNumber) ?? (await sendPart(calls, to, part)),
      );
    }
    return await upload.complete(sizeOf(slices));
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

/**
 * The upload that a dead process has begun for the very same parts, with those that are stored, or a
 * new one. The process may only seem dead: then both send the same bytes under the same numbers, one
 * of them completes the upload, and the other one fails.
 */
async function openUpload(
  calls: ConcatenateCalls,
  {
    key,
    parts,
    resumption,
  }: {
    readonly key: string;
    readonly parts: readonly ConcatenationPart[];
    readonly resumption: Resumption | undefined;
  },
): Promise<{ readonly ref: UploadRef; readonly stored: StoredParts }> {
  // Names sources, ranges and etags: whatever has replaced a source makes it another plan.
  const plan = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
  const [begunPlan, uploadId] = resumption?.token?.split(' ') ?? [];
  if (uploadId !== undefined) {
    const begun = { key, uploadId, check: 'sha256' } as const;
    const stored = begunPlan === plan ? await calls.storedParts(begun) : undefined;
    if (stored !== undefined) {
      return { ref: begun, stored };
    }
    await calls.abort(begun);
  }
  const ref = await calls.begin(key, 'sha256');
  resumption?.onBegun(`${plan} ${ref.uploadId}`);
  return { ref, stored: new Map() };
}

async function sendPart(
  calls: ConcatenateCalls,
  ref: PartRef,
  part: ConcatenationPart,
): Promise<StoredPart> {
  return part.copied === undefined
    ? await calls.putPart(ref, await readSlices(calls, part.read))
    : await calls.copyPart(ref, part.copied);
}

async function readSlices(
  calls: ConcatenateCalls,
  slices: readonly ObjectSlice[],
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  const reads = new TaskGroup(readsMax);
  for (const [index, slice] of slices.entries()) {
    await reads.start(async () => {
      pieces[index] = await readSlice(calls, slice);
    });
  }
  await reads.finish();
  return Buffer.concat(pieces);
}

async function readSlice(calls: ConcatenateCalls, slice: ObjectSlice): Promise<Buffer> {
  const bytes = await calls.getRange(slice.key, slice);
  if (bytes === undefined) {
    throw new StoreFault(`A slice to concatenate is missing [key=${slice.key}]`);
  }
  return bytes;
}
