/**
 * Reads a batch's input file once, checks every line, and writes the shard plan — or the reasons why
 * the batch failed.
 *
 * Idempotent: starts again from the first byte, and writes the same plan or the same errors.
 * Heartbeats every second with the bytes read and the lines and errors found.
 * Resumes from nothing: at 100 MB/s the largest file takes two minutes.
 * Never fails for good; a bad file is a result.
 */
import { Context } from '@temporalio/activity';
import type { BatchEnd, BatchRecord } from '../src/domain/batch';
import type { FileRecord } from '../src/domain/file';
import type { Limiter } from '../src/domain/limiter';
import type { ProjectLimits } from '../src/domain/project';
import { onlyShardBytesOf, type ShardPlan } from '../src/domain/shard-plan';
import { refOf, type BatchRef, type ValidationResult } from '../src/domain/workflow-contract';
import { MissingObject, nowSeconds, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import type { InputFindings } from './input-check';
import type { RecordListener } from './late-writes';
import { loadPlan } from './load-plan';
import { queuedLinesProblem } from './queued-lines';
import { inputFile, readInput, type ReadProgress } from './read-input';

export async function validateAndPlan(
  deps: ActivityDeps,
  ref: BatchRef,
  { known, ...options }: ValidationOptions & { readonly known: BatchRecord | undefined },
): Promise<ValidationResult> {
  const progress: ReadProgress = { bytesRead: 0, bytesTotal: 0, errors: 0 };
  return await heartbeating(progress, async () => {
    const batch = known ?? (await deps.batches.get(ref));
    if (batch === undefined) {
      throw new MissingObject('record', ref);
    }
    return batch.status === 'validating'
      ? await validate(deps, { batch, progress, ...options })
      : await recordedVerdict(deps, batch);
  });
}

/** What an earlier run has recorded, but could not report. */
async function recordedVerdict(deps: ActivityDeps, batch: BatchRecord): Promise<ValidationResult> {
  if (batch.status === 'failed') {
    return { verdict: 'invalid', errorCount: batch.errors?.length ?? 0 };
  }
  const plan = await loadPlan(deps, batch);
  return plan === undefined ? { verdict: 'ended' } : validResult(plan);
}

/** Reading so much takes no longer than looking whether it is still wanted. */
const bytesReadAnywayMax = 65_536;

interface ValidationOptions {
  readonly onRecord: RecordListener;
  /** Large files wait for theirs. */
  readonly turns: Limiter;
}

interface Validating extends ValidationOptions {
  readonly batch: BatchRecord;
  readonly progress: ReadProgress;
  /** Takes the input as it is read, if a slice that runs here is to find it. */
  readonly kept?: Buffer[];
}

async function validate(deps: ActivityDeps, validating: Validating): Promise<ValidationResult> {
  const { batch, progress } = validating;
  const { file, problem } = await inputFile(deps, batch);
  if (problem !== undefined) {
    const ref = refOf(batch);
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  progress.bytesTotal = file.bytes;
  return file.bytes > bytesReadAnywayMax
    ? await checkInTurn(deps, validating, file)
    : await check(deps, { ...validating, kept: [] }, file);
}

async function hasEnded({ batches }: ActivityDeps, batch: BatchRecord): Promise<boolean> {
  const end = await batches.getEnd(refOf(batch));
  return end !== undefined && isEarly(end);
}

/** `failed` was decided by an earlier run, which had no time to record the reasons. */
function isEarly({ reason }: BatchEnd): boolean {
  return reason !== 'failed';
}

/** Waits for a turn; not any longer when the batch has ended, because its file is not read then. */
async function checkInTurn(
  deps: ActivityDeps,
  validating: Validating,
  file: FileRecord,
): Promise<ValidationResult> {
  const { batch, progress, turns } = validating;
  const ended = new AbortController();
  const unwatch = deps.endWatch.watch(refOf(batch), (end) => {
    if (isEarly(end)) {
      ended.abort();
    }
  });
  progress.step = 'waiting for another validation';
  try {
    const signal = AbortSignal.any([ended.signal, Context.current().cancellationSignal]);
    const release = await turns.acquire(signal);
    try {
      delete progress.step;
      return (await hasEnded(deps, batch))
        ? { verdict: 'ended' }
        : await check(deps, validating, file, ended.signal);
    } finally {
      release();
    }
  } finally {
    unwatch();
  }
}

/** @param ended tells, if given, that the batch has ended and the file need not be read on. */
async function check(
  deps: ActivityDeps,
  validating: Validating,
  file: FileRecord,
  ended?: AbortSignal,
): Promise<ValidationResult> {
  const { batch, progress, kept } = validating;
  const limits = await deps.projects.limits(batch.projectId, deps.settings.limits);
  const findings = await readInput(deps, { batch, file, limits, progress, ended, kept });
  if (findings === undefined) {
    return { verdict: 'ended' };
  }
  return findings.errorCount > 0
    ? await fail(deps, refOf(batch), findings)
    : await pass(deps, { ...validating, limits }, findings.plan);
}

/**
 * The plan is there before the record says so, or in it: a batch that is in progress has one. Whoever
 * ends a batch removes its plan, so that one may be left here of a batch that was ended meanwhile.
 */
async function pass(
  deps: ActivityDeps,
  { batch, limits, onRecord, kept }: Validating & { readonly limits: ProjectLimits },
  plan: ShardPlan,
): Promise<ValidationResult> {
  const ref = refOf(batch);
  const { total, model } = plan;
  const onlyShardBytes = onlyShardBytesOf(plan);
  // Where queued lines are limited, others that are validated at the same time look for it.
  if (onlyShardBytes === undefined || limits.queuedLinesMax !== null) {
    await deps.batches.putPlan(ref, plan);
  }
  const problem = await queuedLinesProblem(deps, { ref, limits }, total);
  if (problem !== undefined) {
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  // Before the look: not later than a cancel that comes after it.
  const at = nowSeconds(deps);
  if (await hasEnded(deps, batch)) {
    return { verdict: 'ended' };
  }
  const passed = { type: 'validation_passed', at, total, model, onlyShardBytes } as const;
  const record = await deps.batches.apply(ref, passed, batch);
  onRecord(record);
  if (record?.inProgressAt === null) {
    // The end was decided and recorded since the look.
    return { verdict: 'ended' };
  }
  const { length: shards } = plan.shards;
  deps.logger.info({ batch: ref.batchId, total, shards }, 'input file is valid');
  if (kept === undefined || record?.status !== 'in_progress') {
    return validResult(plan);
  }
  const heldAs = deps.randomHex();
  deps.heldBatches.set(heldAs, { batch: record, plan, input: Buffer.concat(kept) });
  return { ...validResult(plan), heldAs };
}

type ValidResult = Extract<ValidationResult, { verdict: 'valid' }>;

function validResult({ total, model, shards }: ShardPlan): ValidResult {
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
