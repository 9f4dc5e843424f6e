/**
 * The last step of a batch: its end, its files and its terminal record, and, when nobody is to be told
 * of it, the removal of what only a running batch needs. One activity, because each costs the engine
 * as much as a small batch's requests cost us.
 *
 * Idempotent, as its steps are: decide-end.ts, finalize-batch.ts, plan-notifications.ts, clean-up.ts.
 * Heartbeats every second with what it is doing.
 * Resumes as finalizing does.
 * Never fails for good.
 */
import { Context } from '@temporalio/activity';
import { isTerminal } from '../src/domain/batch';
import type { BatchRef, ConcludedBatch, ConcludeInput } from '../src/domain/workflow-contract';
import { decideEnd, type DecidedEnd } from './decide-end';
import { MissingObject, type ActivityDeps } from './deps';
import { finalizeBatch } from './finalize-batch';
import { heartbeating } from './heartbeating';
import { notificationTargets } from './plan-notifications';
import { removeWorkingState } from './remove-batch';

export async function concludeBatch(
  deps: ActivityDeps,
  { isComplete, ...input }: ConcludeInput,
): Promise<ConcludedBatch> {
  const { ref } = input;
  const decided = isComplete ? await decideCompleted(deps, ref) : undefined;
  const batch = await finalizeBatch(deps, input, decided);
  return await heartbeating({ step: 'removing the ledger' }, async () => {
    if (batch === undefined || !isTerminal(batch.status)) {
      throw new MissingObject('terminal record', ref);
    }
    const targets = await notificationTargets(deps, batch);
    if (targets.length === 0) {
      await removeWorkingState(deps, ref, batch);
    }
    return { endedAs: batch.status, targets };
  });
}

async function decideCompleted(deps: ActivityDeps, ref: BatchRef): Promise<DecidedEnd> {
  // What finalizing goes on with must not be forgotten meanwhile.
  const earlier = Context.current().info.heartbeatDetails as object | undefined;
  const details = earlier ?? { step: 'deciding the end' };
  return await heartbeating(
    details,
    async () => await decideEnd(deps, { ref, reason: 'completed' }),
  );
}
