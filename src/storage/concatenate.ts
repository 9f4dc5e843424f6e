/** Carries out the plan of a concatenation. */
import { planConcatenation, sizeOf, type ConcatenationPart } from './concatenation-plan';
import {
  MultipartUpload,
  type MultipartCalls,
  type PartRef,
  type StoredPart,
} from './multipart-upload';
import { StoreFault, type CertainRange, type ObjectInfo, type ObjectSlice } from './object-store';
import { TaskGroup } from './task-group';

export interface ConcatenateCalls extends MultipartCalls {
  getRange(key: string, range: CertainRange): Promise<Buffer | undefined>;
}

const partsMax = 4;
const readsMax = 8;

/** A repetition writes the same bytes again; nothing is visible before all of them are there. */
export async function concatenate(
  calls: ConcatenateCalls,
  key: string,
  slices: readonly ObjectSlice[],
): Promise<ObjectInfo> {
  const parts = planConcatenation(slices);
  const [first] = parts;
  if (first?.copied === undefined && parts.length <= 1) {
    return await calls.putWhole(key, await readSlices(calls, first?.read ?? []));
  }
  const upload = await MultipartUpload.begin(calls, key, {
    check: 'sha256',
    parallelMax: partsMax,
  });
  try {
    for (const part of parts) {
      await upload.add(async (ref) => await sendPart(calls, ref, part));
    }
    return await upload.complete(sizeOf(slices));
  } catch (error) {
    await upload.abort();
    throw error;
  }
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
