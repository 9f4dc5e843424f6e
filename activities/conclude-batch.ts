/**
 * The last step of a batch: its end, its files and its terminal record, and, when nobody is to be told
 * of it, the removal of what only a running batch needs. One activity, because each costs the engine
 * as much as a small batch's requests cost us; or the end of the slice that seals the only shard.
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
import { MissingObject, nowSeconds, type ActivityDeps } from './deps';
import { finalizeBatch, type SealedBatch } from './finalize-batch';
import { heartbeating } from './heartbeating';
import { notificationTargets } from './plan-notifications';
import { removeKnownState, removeWorkingState } from './remove-batch';

export async function concludeBatch(
  deps: ActivityDeps,
  { isComplete, ...input }: ConcludeInput,
  sealed?: SealedBatch,
): Promise<ConcludedBatch> {
  const { ref } = input;
  const context = sealed?.context ?? Context.current();
  const decided = isComplete ? await decideCompleted(deps, { ref, sealed, context }) : undefined;
  const batch = await finalizeBatch(deps, input, { decided, sealed });
  return await heartbeating(
    { step: 'removing the ledger' },
    async () => {
      if (batch === undefined || !isTerminal(batch.status)) {
        throw new MissingObject('terminal record', ref);
      }
      const targets = await notificationTargets(deps, batch);
      if (targets.length === 0) {
        await (sealed?.ledgerKeys === undefined
          ? removeWorkingState(deps, ref, batch)
          : removeKnownState(deps, batch, sealed.ledgerKeys));
      }
      return { endedAs: batch.status, targets };
    },
    context,
  );
}

async function decideCompleted(
  deps: ActivityDeps,
  {
    ref,
    sealed,
    context,
  }: {
    readonly ref: BatchRef;
    readonly sealed: SealedBatch | undefined;
    readonly context: Context;
  },
): Promise<DecidedEnd> {
  // What finalizing goes on with must not be forgotten meanwhile.
  const earlier = context.info.heartbeatDetails as object | undefined;
  const details = earlier ?? { step: 'deciding the end' };
  const reason = 'completed';
  return await heartbeating(
    details,
    async () => {
      if (sealed === undefined) {
        return await decideEnd(deps, { ref, reason });
      }
      // The record tells of it in a moment, together with how it went.
      const end = await deps.batches.decideEnd(ref, { reason, at: nowSeconds(deps) });
      return { end, batch: sealed.batch };
    },
    context,
  );
}
