/**
 * Makes the output and the error file of a batch out of its sealed shards, then the terminal record.
 *
 * Idempotent: the files' ids were fixed when the batch was created, the seals do not change, and so
 * a repeated run writes the same bytes to the same place. A shard whose sealed objects are damaged
 * is sealed anew first: intact-seals.ts.
 * Heartbeats every second with what it is doing, and with what it has begun.
 * Resumes: a file that a dead worker has begun is gone on with, from the parts that the store has.
 * Never fails for good.
 *
 * Order: content before the file's record, both files before the batch's record, so that whoever
 * reads a terminal batch finds its files.
 */
import { Context } from '@temporalio/activity';
import type { BatchEnd, BatchRecord, BatchResult } from '../src/domain/batch';
import { isTerminal } from '../src/domain/batch';
import { costOf } from '../src/domain/cost';
import { batchErrors } from '../src/domain/error-codes';
import type { FileId } from '../src/domain/ids';
import { fileKeys } from '../src/domain/object-keys';
import { totalUsage } from '../src/domain/usage';
import { refOf, type BatchRef, type FinalizeInput } from '../src/domain/workflow-contract';
import type { Seal, SealedObject } from '../src/ledger/seal';
import type { SealedAtOnce } from '../src/ledger/shard-ledger';
import type { ObjectSlice } from '../src/storage/object-store';
import type { DecidedEnd } from './decide-end';
import { MissingObject, nowSeconds, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { intactSeals } from './intact-seals';
import { removeLedger } from './remove-batch';

/** The details of a heartbeat. */
interface FinalizeProgress {
  step: string;
  readonly shards: number;
  /** By file: what the store wants to be told to go on with it. Workers of old did not say. */
  readonly begun?: Partial<Record<FileKind, string>>;
}

type FileKind = 'output' | 'error';

/** A batch whose only shard the same activity has sealed just now. */
export interface SealedBatch extends SealedAtOnce {
  readonly batch: BatchRecord;
  /** When the activity began: the record is of that time or older. Unix milliseconds. */
  readonly begunAtMs: number;
  /** Of the activity, which has waited since it began. */
  readonly context: Context;
}

/**
 * For so long nobody else ends a batch that an activity works on: before that, its worker is taken for
 * dead, or the activity has returned. Half of the shortest time without heartbeats.
 */
const aloneMsMax = 5_000;

/**
 * @param known what the same activity has found out just now; otherwise it is read.
 * @returns the record as it then is; `undefined` when the batch is gone: another run was faster.
 */
export async function finalizeBatch(
  deps: ActivityDeps,
  input: FinalizeInput,
  known: {
    readonly decided?: DecidedEnd | undefined;
    readonly sealed?: SealedBatch | undefined;
  } = {},
): Promise<BatchRecord | undefined> {
  const { ref, shardCount } = input;
  const context = known.sealed?.context ?? Context.current();
  const earlier = context.info.heartbeatDetails as FinalizeProgress | undefined;
  const begun = { ...earlier?.begun };
  const progress: FinalizeProgress = { step: 'reading seals', shards: shardCount, begun };
  return await heartbeating(
    progress,
    async () => {
      const { sealed } = known;
      const { batch, end } = known.decided ?? (await readEnd(deps, ref));
      if (batch !== undefined && isTerminal(batch.status)) {
        return batch;
      }
      if (batch === undefined || end === undefined) {
        throw new MissingObject('record or end', ref);
      }
      const { reason } = end;
      const seals = sealed === undefined ? await intactSeals(deps, input) : [sealed.seal];
      const hasEnded = async (): Promise<boolean> =>
        (sealed === undefined || deps.now() - sealed.begunAtMs > aloneMsMax) &&
        (await isEnded(deps, batch));
      if (await hasEnded()) {
        // Another run was faster: its files stay, and what was sealed anew here goes.
        await removeLedger(deps, ref);
        return await deps.batches.get(ref);
      }
      progress.step = 'writing files';
      const files = await writeFiles({ deps, batch, begun, hasEnded }, seals);
      const result = {
        ...files,
        ...costOfBatch(deps, batch, files),
        ...(reason === 'failed' && { errors: [{ ...batchErrors.internalError, line: null }] }),
      };
      const at = nowSeconds(deps);
      const events = [
        { type: 'end_decided', end },
        { type: 'finalized', at, reason, result },
      ] as const;
      const ended = await deps.batches.apply(ref, events, batch);
      const { requestCounts } = result;
      deps.logger.info({ batch: ref.batchId, ended: reason, ...requestCounts }, 'batch has ended');
      return ended;
    },
    context,
  );
}

async function readEnd(
  { batches }: ActivityDeps,
  ref: BatchRef,
): Promise<{ readonly batch: BatchRecord | undefined; readonly end: BatchEnd | undefined }> {
  const [batch, end] = await Promise.all([batches.get(ref), batches.getEnd(ref)]);
  return { batch, end };
}

/** Nothing for several models, and for one without a price. */
function costOfBatch(
  { routes }: ActivityDeps,
  { model }: BatchRecord,
  { usage }: BatchResult,
): Pick<BatchResult, 'cost'> {
  const price = model === null ? undefined : routes.get(model)?.price;
  return price === undefined || usage === null ? {} : { cost: costOf(usage, price) };
}

interface Finalizing {
  readonly deps: ActivityDeps;
  readonly batch: BatchRecord;
  readonly begun: Partial<Record<FileKind, string>>;
  readonly hasEnded: () => Promise<boolean>;
}

async function writeFiles(finalizing: Finalizing, seals: readonly Seal[]): Promise<BatchResult> {
  const outputs = seals.flatMap(({ output }) => output ?? []);
  const errors = seals.flatMap((seal) => seal.errors ?? []);
  const { output: outputId, error: errorId } = finalizing.batch.resultFileIds;
  const lineCount = [...outputs, ...errors].reduce((sum, object) => sum + object.lineCount, 0);
  return {
    outputFileId: await writeFile(finalizing, { id: outputId, kind: 'output', parts: outputs }),
    errorFileId: await writeFile(finalizing, { id: errorId, kind: 'error', parts: errors }),
    requestCounts: {
      total: lineCount,
      completed: seals.reduce((sum, { counts }) => sum + counts.completed, 0),
      failed: seals.reduce((sum, { counts }) => sum + counts.failed, 0),
    },
    usage: totalUsage(seals),
  };
}

/** The file's id; null, and no file, when it would have no line. */
async function writeFile(
  { deps, batch, begun, hasEnded }: Finalizing,
  file: {
    readonly id: FileId;
    readonly kind: FileKind;
    readonly parts: readonly SealedObject[];
  },
): Promise<FileId | null> {
  if (file.parts.length === 0) {
    return null;
  }
  const { content } = fileKeys(batch.projectId, file.id);
  const [first, ...others] = file.parts;
  const isWritten = first?.key === content && others.length === 0;
  const { sizeBytes } = isWritten
    ? first
    : await deps.store.concatenate(content, file.parts.map(sliceOf), {
        token: begun[file.kind],
        onBegun: (token) => {
          begun[file.kind] = token;
        },
      });
  const createdAt = nowSeconds(deps);
  if (await hasEnded()) {
    // Another run was faster. If the file is deleted by now, its bytes have just come back.
    const isDeleted = false;
    await deps.files.sweep(batch.projectId, { fileId: file.id, isDeleted }, createdAt);
    return file.id;
  }
  await deps.files.create({
    id: file.id,
    projectId: batch.projectId,
    bytes: sizeBytes,
    createdAt,
    expiresAt: createdAt + batch.outputExpiresAfterSeconds,
    filename: `${batch.id}_${file.kind}.jsonl`,
    purpose: 'batch_output',
  });
  return file.id;
}

/** Whatever has been damaged since the seals were read is missing for the store. */
function sliceOf({ key, sizeBytes, etag }: SealedObject): ObjectSlice {
  return { key, offset: 0, length: sizeBytes, ...(etag !== undefined && { etag }) };
}

async function isEnded({ batches }: ActivityDeps, batch: BatchRecord): Promise<boolean> {
  const now = await batches.get(refOf(batch));
  return now === undefined || isTerminal(now.status);
}
