/**
 * Tells what was planned of a batch whose workflow was lost, as soon as nobody works on it any more:
 * its shard workflows outlive it for as long as their slices take to commit what has finished.
 *
 * Idempotent: it reads.
 * Heartbeats every second.
 * Resumes from nothing.
 * Fails while a shard workflow runs, to be tried again a second later; not for longer than slices may
 * take, because what a slice commits too late does no harm.
 */
import { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { shardWorkflowId } from '../src/domain/ids';
import type { BatchRef, RecoveredPlan } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { loadPlan } from './load-plan';

const statesInParallel = 16;
/** Beside the grace for requests in flight: a dead worker is noticed in ten seconds, a cancel in two. */
const slackMs = 30_000;
const delayMs = 1_000;

export async function recoverPlan(deps: ActivityDeps, ref: BatchRef): Promise<RecoveredPlan> {
  return await heartbeating({ step: 'waiting for slices' }, async () => {
    const batch = await deps.batches.get(ref);
    const plan = batch && (await loadPlan(deps, batch));
    if (plan === undefined) {
      return { total: 0, shardCount: 0, model: null };
    }
    const { total, model, shards } = plan;
    const { scheduledTimestampMs, currentAttemptScheduledTimestampMs } = Context.current().info;
    // Both by the engine's clock.
    const waitedMs = currentAttemptScheduledTimestampMs - scheduledTimestampMs;
    if (
      waitedMs < deps.settings.cancelGraceMs + slackMs &&
      (await isShardRunning(deps, ref, shards.length))
    ) {
      throw notYet();
    }
    return { total, shardCount: shards.length, model };
  });
}

async function isShardRunning(
  { workflows }: ActivityDeps,
  { batchId }: BatchRef,
  shardCount: number,
): Promise<boolean> {
  for (let from = 0; from < shardCount; from += statesInParallel) {
    const count = Math.min(statesInParallel, shardCount - from);
    const states = await Promise.all(
      Array.from(
        { length: count },
        async (_, at) => await workflows.state(shardWorkflowId(batchId, from + at)),
      ),
    );
    if (states.includes('running')) {
      return true;
    }
  }
  return false;
}

function notYet(): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'SlicesRunning',
    message: 'Slices of the lost run are about to commit what has finished',
    nextRetryDelay: delayMs,
    category: ApplicationFailureCategory.BENIGN,
  });
}
