/**
 * Small batches that this process has just validated, with their input.
 *
 * Most small batches are run by the process that has validated them, a moment later. It then need not
 * read the record, with the plan in it, and the input again: two of the calls of which such a batch
 * consists.
 * What is held can be no worse than what is read: plan and input do not change, the record only by
 * compare-and-swap, and whether the batch has ended is told by its `end`. What is not held is read.
 *
 * Only the first slice of the first run of the shard is told the name under which a batch is held: to
 * any other, lines may be answered of which only the ledger knows.
 */
import type { BatchRecord } from '../src/domain/batch';
import type { ShardPlan } from '../src/domain/shard-plan';

export interface HeldBatch {
  readonly batch: BatchRecord;
  readonly plan: ShardPlan;
  /** All of the input file. */
  readonly input: Buffer;
}

/** As many as fit. */
export interface HeldBatches {
  get(heldAs: string): HeldBatch | undefined;
  set(heldAs: string, held: HeldBatch): unknown;
  delete(heldAs: string): unknown;
}

/** Nobody else gets it from then on. */
export function takeHeld(batches: HeldBatches, heldAs: string): HeldBatch | undefined {
  const held = batches.get(heldAs);
  batches.delete(heldAs);
  return held;
}
