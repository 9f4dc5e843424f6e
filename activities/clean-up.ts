/**
 * Removes what only a running batch needs.
 *
 * Idempotent: what is gone stays gone.
 * Heartbeats every second with what it is doing.
 * Resumes from what is left.
 * Never fails for good.
 */
import type { BatchRef } from '../src/domain/workflow-contract';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { removeWorkingState } from './remove-batch';

export async function cleanUp(deps: ActivityDeps, ref: BatchRef): Promise<void> {
  await heartbeating({ step: 'removing the ledger' }, async () => {
    await removeWorkingState(deps, ref, await deps.batches.get(ref));
  });
}
