/**
 * Reads a batch's input file once, checks every line, and writes the shard plan — or the reasons why
 * the batch failed.
 *
 * Idempotent: starts again from the first byte, and writes the same plan or the same errors.
 * Heartbeats every second with the bytes read and the lines and errors found.
 * Resumes from nothing: at 100 MB/s the largest file takes two minutes.
 * Never fails for good; a bad file is a result.
 */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Context } from '@temporalio/activity';
import type { BatchError, BatchRecord } from '../src/domain/batch';
import { batchErrors } from '../src/domain/error-codes';
import { isFileId } from '../src/domain/ids';
import { batchKeys } from '../src/domain/object-keys';
import type { ShardPlan } from '../src/domain/shard-plan';
import type { BatchRef, ValidationResult } from '../src/domain/workflow-contract';
import type { FileRecord } from '../src/domain/file';
import { MissingObject, nowSeconds, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import type { FoundErrors } from './file-check';
import type { InputFindings } from './input-check';
import { queuedLinesProblem } from './queued-lines';

/** Heartbeat details. */
interface ValidationProgress {
  bytesRead: number;
  bytesTotal: number;
  errors: number;
}

export async function validateAndPlan(
  deps: ActivityDeps,
  ref: BatchRef,
): Promise<ValidationResult> {
  const progress = { bytesRead: 0, bytesTotal: 0, errors: 0 };
  return await heartbeating(progress, async () => {
    const [batch, end] = await Promise.all([deps.batches.get(ref), deps.batches.getEnd(ref)]);
    if (batch === undefined) {
      throw new MissingObject('record', ref);
    }
    if (batch.status !== 'validating') {
      return await recordedVerdict(deps, batch);
    }
    // `failed` was decided by an earlier run, which had no time to record the reasons.
    return end === undefined || end.reason === 'failed'
      ? await validate(deps, batch, progress)
      : { verdict: 'ended' };
  });
}

/** What an earlier run has recorded, but could not report. */
async function recordedVerdict(
  deps: ActivityDeps,
  { id, projectId, status, errors }: BatchRecord,
): Promise<ValidationResult> {
  if (status === 'failed') {
    return { verdict: 'invalid', errorCount: errors?.length ?? 0 };
  }
  const plan = await deps.batches.getPlan({ projectId, batchId: id });
  return plan === undefined ? { verdict: 'ended' } : validResult(plan);
}

async function validate(
  deps: ActivityDeps,
  batch: BatchRecord,
  progress: ValidationProgress,
): Promise<ValidationResult> {
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const { file, problem } = await inputFile(deps, batch);
  if (problem !== undefined) {
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  progress.bytesTotal = file.bytes;
  const findings = await readInput(deps, { batch, file, progress });
  if (findings === undefined) {
    return { verdict: 'ended' };
  }
  return findings.errorCount > 0
    ? await fail(deps, ref, findings)
    : await pass(deps, ref, findings.plan);
}

async function inputFile(
  { files }: ActivityDeps,
  { projectId, inputFileId, id }: BatchRecord,
): Promise<
  | { readonly file: FileRecord; readonly problem?: undefined }
  | { readonly file?: undefined; readonly problem: Omit<BatchError, 'line'> }
> {
  const file = isFileId(inputFileId) ? await files.getUsed(projectId, inputFileId, id) : undefined;
  if (file === undefined) {
    return { problem: batchErrors.fileNotFound(inputFileId) };
  }
  return file.purpose === 'batch' ? { file } : { problem: batchErrors.wrongPurpose(file.purpose) };
}

/** `undefined` when the batch ended meanwhile. */
async function readInput(
  deps: ActivityDeps,
  input: {
    readonly batch: BatchRecord;
    readonly file: FileRecord;
    readonly progress: ValidationProgress;
  },
): Promise<InputFindings | undefined> {
  const { batch, file, progress } = input;
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const content = await deps.files.openContent(batch.projectId, file.id);
  if (content === undefined) {
    throw new MissingObject('input file', ref);
  }
  const { endpoint, projectId } = batch;
  const rules = {
    endpoint,
    models: [...deps.routes.values()]
      .filter(({ endpoints }) => endpoints.has(endpoint))
      .map(({ model }) => model),
    limits: await deps.projects.limits(projectId, deps.settings.limits),
    mixedModels: deps.settings.mixedModels,
  };
  const check = deps.openFileCheck(rules, {
    fileBytes: file.bytes,
    hashKey: [hashKeyHalf(deps.randomHex()), hashKeyHalf(deps.randomHex())],
  });
  const errors = new ErrorsObject(deps, ref);
  const ended = new AbortController();
  const unwatch = deps.endWatch.watch(ref, ({ reason }) => {
    if (reason !== 'failed') {
      ended.abort();
    }
  });
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      // The worker is told to stop: another one starts the pass again.
      Context.current().cancellationSignal.throwIfAborted();
      if (ended.signal.aborted) {
        return undefined;
      }
      const found = await check.add(chunk);
      await errors.write(found);
      progress.bytesRead += chunk.length;
      progress.errors += found.errorCount;
    }
    const { found, findings } = await check.end();
    await errors.write(found);
    await errors.close();
    return findings;
  } finally {
    unwatch();
    await check.close();
    content.destroy();
    errors.destroy();
  }
}

/** The plan is there before the record says so: a batch that is in progress has one. */
async function pass(deps: ActivityDeps, ref: BatchRef, plan: ShardPlan): Promise<ValidationResult> {
  const { total, model } = plan;
  await deps.batches.putPlan(ref, plan);
  const problem = await queuedLinesProblem(deps, ref, total);
  if (problem !== undefined) {
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  await deps.batches.apply(ref, { type: 'validation_passed', at: nowSeconds(deps), total, model });
  const { length: shards } = plan.shards;
  deps.logger.info({ batch: ref.batchId, total, shards }, 'input file is valid');
  return validResult(plan);
}

function validResult({ total, model, shards }: ShardPlan): ValidationResult {
  return { verdict: 'valid', total, model, shardCount: shards.length };
}

/** The end is decided before the record says `failed`, so that a cancel that came first holds. */
async function fail(
  deps: ActivityDeps,
  ref: BatchRef,
  { errorCount, firstErrors }: Pick<InputFindings, 'errorCount' | 'firstErrors'>,
): Promise<ValidationResult> {
  const at = nowSeconds(deps);
  const end = await deps.batches.decideEnd(ref, { reason: 'failed', at });
  if (end.reason !== 'failed') {
    return { verdict: 'ended' };
  }
  await deps.batches.apply(ref, { type: 'validation_failed', at, errors: firstErrors });
  deps.logger.info({ batch: ref.batchId, errors: errorCount }, 'input file is not valid');
  return { verdict: 'invalid', errorCount };
}

/** The complete list of bad lines, one JSON object on a line; no object while there is none. */
class ErrorsObject {
  private stream: PassThrough | undefined;
  private stored: Promise<unknown> | undefined;

  constructor(
    private readonly deps: ActivityDeps,
    private readonly ref: BatchRef,
  ) {}

  async write({ errorLines }: FoundErrors): Promise<void> {
    for (const lines of errorLines) {
      await this.writeLines(lines);
    }
  }

  private async writeLines(lines: Uint8Array): Promise<void> {
    const stream = (this.stream ??= this.open());
    if (stream.destroyed) {
      // It would never drain.
      throw stream.errored ?? new Error('The list of bad lines has ended early');
    }
    if (!stream.write(lines)) {
      await once(stream, 'drain');
    }
  }

  async close(): Promise<void> {
    this.stream?.end();
    await this.stored;
  }

  /** Leaves nothing behind when the list is not complete. */
  destroy(): void {
    this.stream?.destroy();
  }

  private open(): PassThrough {
    const stream = new PassThrough();
    const key = batchKeys(this.ref.projectId, this.ref.batchId).errors;
    this.stored = this.deps.store.putStream(key, stream);
    // Whoever writes next, or closes, meets the error.
    this.stored.catch((error: unknown) => stream.destroy(error as Error));
    stream.on('error', () => undefined);
    return stream;
  }
}

function hashKeyHalf(randomHex: string): bigint {
  return BigInt(`0x${randomHex.slice(0, 16)}`);
}
