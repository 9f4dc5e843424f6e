/**
 * Decides how a batch ends, unless that is decided, and records it.
 *
 * Idempotent: the first decision holds, and recording it twice changes nothing.
 * Heartbeats every second.
 * Resumes from nothing: it is two small writes.
 * Never fails for good.
 */
import type { BatchEnd, BatchRecord } from '../src/domain/batch';
import type { DecideEndInput } from '../src/domain/workflow-contract';
import { nowSeconds, type ActivityDeps } from './deps';

/** A decision that holds, and the record that tells of it. */
export interface DecidedEnd {
  readonly end: BatchEnd;
  readonly batch: BatchRecord | undefined;
}

export async function decideEnd(deps: ActivityDeps, input: DecideEndInput): Promise<DecidedEnd> {
  const end = await deps.batches.decideEnd(input.ref, {
    reason: input.reason,
    at: nowSeconds(deps),
  });
  const batch = await deps.batches.apply(input.ref, { type: 'end_decided', end });
  return { end, batch };
}
