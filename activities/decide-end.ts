/**
 * Decides how a batch ends, unless that is decided, and records it.
 *
 * Idempotent: the first decision holds, and recording it twice changes nothing.
 * Heartbeats every second.
 * Resumes from nothing: it is two small writes.
 * Never fails for good.
 */
import type { BatchEnd } from '../src/domain/batch';
import type { DecideEndInput } from '../src/domain/workflow-contract';
import { nowSeconds, type ActivityDeps } from './deps';

/** Returns the decision that holds. */
export async function decideEnd(deps: ActivityDeps, input: DecideEndInput): Promise<BatchEnd> {
  const end = await deps.batches.decideEnd(input.ref, {
    reason: input.reason,
    at: nowSeconds(deps),
  });
  await deps.batches.apply(input.ref, { type: 'end_decided', end });
  return end;
}
