/**
 * Which batch a create is about: a new one, or the one of an earlier attempt at the same request.
 *
 * It is fixed, with all its ids and times, before anything else happens, so that a repeat after a
 * fault at any later step does the same steps again for the same batch.
 */
import { createHash } from 'node:crypto';
import { windowSeconds } from '../../config/config';
import type { NewBatch } from '../../domain/batch';
import { isFileId, makeBatchId, makeFileId, type ProjectId } from '../../domain/ids';
import type { ApiDependencies } from '../dependencies';
import { ApiError, quoted } from '../http/api-error';
import type { CreateRepeat } from './create-repeat.wire';
import type { BatchRequest } from './create-batch.wire';

/** The official clients wait ten minutes for an answer, and some seconds before a repeat. */
const repeatSecondsMax = 660;

export interface FixedBatch {
  readonly batch: NewBatch;
  /** No attempt before this one can have begun with it. */
  readonly isNew: boolean;
}

export async function fixBatch(
  projectId: ProjectId,
  { request, repeat }: { readonly request: BatchRequest; readonly repeat: CreateRepeat },
  dependencies: ApiDependencies,
): Promise<FixedBatch> {
  const make = async (): Promise<NewBatch> => {
    await assertInputFile(projectId, request.inputFileId, dependencies);
    return newBatch(projectId, request, dependencies);
  };
  const requestHash = hashOf('request', normalForm(request));
  const attempt = { projectId, requestHash, make };
  if (repeat.idempotencyKey !== undefined) {
    return await fixByKey(attempt, repeat.idempotencyKey, dependencies);
  }
  return repeat.repeat === undefined
    ? { batch: await make(), isNew: true }
    : await fixByCount(attempt, repeat.repeat, dependencies);
}

interface Attempt {
  readonly projectId: ProjectId;
  readonly requestHash: string;
  readonly make: () => Promise<NewBatch>;
}

async function fixByKey(
  { projectId, requestHash, make }: Attempt,
  key: string,
  { createdBatches }: ApiDependencies,
): Promise<FixedBatch> {
  const name = hashOf('key', key);
  const known = await createdBatches.get(projectId, name);
  const proposed = known ?? { requestHash, batch: await make() };
  const fixed = known ?? (await createdBatches.fix(projectId, name, proposed));
  if (fixed.requestHash !== requestHash) {
    throw new ApiError(
      'idempotencyKeyReused',
      'The Idempotency-Key header of this request was used with other parameters before. Repeat the request with the parameters that it had, or send another key.',
    );
  }
  return { batch: fixed.batch, isNew: known === undefined && fixed === proposed };
}

/** A repeat whose first attempt never arrived is a first attempt itself. */
async function fixByCount(
  { projectId, requestHash, make }: Attempt,
  repeat: number,
  { createdBatches, clock, randomHex }: ApiDependencies,
): Promise<FixedBatch> {
  const at = Math.floor(clock() / 1000);
  const mark = { repeat, at, token: randomHex() };
  if (repeat > 0) {
    const since = at - repeatSecondsMax;
    const earlier = await createdBatches.takeOver(projectId, requestHash, { ...mark, since });
    if (earlier !== undefined) {
      return { batch: earlier, isNew: false };
    }
  }
  const batch = await make();
  await createdBatches.leave(projectId, requestHash, { batch, ...mark });
  return { batch, isNew: true };
}

/** Only where the operator wants it: OpenAI's service creates the batch, and fails it later. */
async function assertInputFile(
  projectId: ProjectId,
  fileId: string,
  { files, settings, clock }: ApiDependencies,
): Promise<void> {
  if (settings.unknownInputFile === 'fail_batch') {
    return;
  }
  const nowSeconds = Math.floor(clock() / 1000);
  const file = isFileId(fileId) ? await files.get(projectId, fileId, nowSeconds) : undefined;
  if (file === undefined) {
    throw new ApiError('notFound', `No such File object: ${quoted(fileId)}`, {
      param: 'input_file_id',
    });
  }
  if (file.purpose !== 'batch') {
    throw new ApiError(
      'invalidValue',
      `Invalid 'input_file_id': the file must have purpose 'batch', but it has purpose '${file.purpose}'.`,
      { param: 'input_file_id' },
    );
  }
}

function newBatch(
  projectId: ProjectId,
  request: BatchRequest,
  { clock, randomHex, settings }: ApiDependencies,
): NewBatch {
  const nowMs = clock();
  const createdAt = Math.floor(nowMs / 1000);
  const seconds = windowSeconds(request.completionWindow);
  if (seconds === undefined) {
    throw new Error(`the completion window ${request.completionWindow} is not one`);
  }
  return {
    id: makeBatchId(nowMs, randomHex()),
    projectId,
    ...request,
    resultForm: settings.resultForm,
    resultFileIds: {
      output: makeFileId(nowMs, randomHex()),
      error: makeFileId(nowMs, randomHex()),
    },
    createdAt,
    expiresAt: createdAt + seconds,
  };
}

/** Equal for requests that say the same, in whatever order. */
function normalForm({ metadata, ...request }: BatchRequest): string {
  const entries = Object.entries(metadata ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const members = Object.entries(request).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([members, metadata && entries]);
}

function hashOf(kind: 'key' | 'request', text: string): string {
  return createHash('sha256').update(`${kind}:${text}`).digest('hex');
}
