/**
 * Reads a batch's input file once, checks every line, and writes the shard plan — or the reasons why
 * the batch failed.
 *
 * Idempotent: starts again from the first byte, and writes the same plan or the same errors.
 * Heartbeats every second with the bytes read and the lines and errors found.
 * Resumes from nothing: at 100 MB/s the largest file takes two minutes.
 * Never fails for good; a bad file is a result.
 */
import type { BatchRecord } from '../src/domain/batch';
import type { ProjectLimits } from '../src/domain/project';
import type { ShardPlan } from '../src/domain/shard-plan';
import type { BatchRef, ValidationResult } from '../src/domain/workflow-contract';
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
  {
    known,
    onRecord,
  }: { readonly known: BatchRecord | undefined; readonly onRecord: RecordListener },
): Promise<ValidationResult> {
  const progress = { bytesRead: 0, bytesTotal: 0, errors: 0 };
  return await heartbeating(progress, async () => {
    const [batch, end] = await Promise.all([
      known ?? deps.batches.get(ref),
      deps.batches.getEnd(ref),
    ]);
    if (batch === undefined) {
      throw new MissingObject('record', ref);
    }
    if (batch.status !== 'validating') {
      return await recordedVerdict(deps, batch);
    }
    // `failed` was decided by an earlier run, which had no time to record the reasons.
    return end === undefined || end.reason === 'failed'
      ? await validate(deps, { batch, progress, onRecord })
      : { verdict: 'ended' };
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

interface Validating {
  readonly batch: BatchRecord;
  readonly progress: ReadProgress;
  readonly onRecord: RecordListener;
}

async function validate(
  deps: ActivityDeps,
  { batch, progress, onRecord }: Validating,
): Promise<ValidationResult> {
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const { file, problem } = await inputFile(deps, batch);
  if (problem !== undefined) {
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  progress.bytesTotal = file.bytes;
  const limits = await deps.projects.limits(batch.projectId, deps.settings.limits);
  const stopsAtEnd = file.bytes > bytesReadAnywayMax;
  const findings = await readInput(deps, { batch, file, limits, progress, stopsAtEnd });
  if (findings === undefined) {
    return { verdict: 'ended' };
  }
  return findings.errorCount > 0
    ? await fail(deps, ref, findings)
    : await pass(deps, { batch, limits, onRecord }, findings.plan);
}

/** The plan is there before the record says so: a batch that is in progress has one. */
async function pass(
  deps: ActivityDeps,
  { batch, limits, onRecord }: Omit<Validating, 'progress'> & { readonly limits: ProjectLimits },
  plan: ShardPlan,
): Promise<ValidationResult> {
  const ref = { projectId: batch.projectId, batchId: batch.id };
  const { total, model } = plan;
  await deps.batches.putPlan(ref, plan);
  const problem = await queuedLinesProblem(deps, { ref, limits }, total);
  if (problem !== undefined) {
    return await fail(deps, ref, { errorCount: 1, firstErrors: [{ ...problem, line: null }] });
  }
  const now = nowSeconds(deps);
  const end = await deps.batches.getEnd(ref);
  // Not later than a cancel that clients may have seen meanwhile: the time of that must stay.
  const at = Math.min(now, end?.at ?? now);
  const passed = { type: 'validation_passed', at, total, model } as const;
  onRecord(await deps.batches.apply(ref, passed, batch));
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
