/** Opening a shard: what it is, and its ledger taken over. */
import { isTerminal, type BatchRecord } from '../src/domain/batch';
import type { Shard } from '../src/domain/shard-plan';
import type { ShardRef, SliceResult } from '../src/domain/workflow-contract';
import type { Seal } from '../src/ledger/seal';
import {
  beginFirst,
  reopen,
  takeFirst,
  takeOver,
  type ShardLedger,
} from '../src/ledger/shard-ledger';
import { ledgerOptions, MissingObject, type ActivityDeps } from './deps';
import { takeHeld } from './held-batches';
import { loadPlan } from './load-plan';

/** A shard as it was planned. */
export interface PlannedShard {
  readonly ref: ShardRef;
  readonly batch: BatchRecord;
  /** Null when the lines name several. */
  readonly model: string | null;
  readonly shard: Shard;
  /** Of the batch. */
  readonly shardCount: number;
  /** The shard's bytes of the input, where this process holds them: then it has no ledger yet. */
  readonly input?: Buffer;
}

/** A shard whose newest epoch is this process's. */
export interface OpenShard extends PlannedShard {
  readonly ledger: ShardLedger;
}

/** The only shard of a batch that this process has just validated, if it still holds that. */
export function heldShard(
  deps: ActivityDeps,
  ref: ShardRef,
  heldAs: string,
): PlannedShard | undefined {
  const held = takeHeld(deps.heldBatches, heldAs);
  const [shard, ...others] = held?.plan.shards ?? [];
  if (held === undefined || shard === undefined || others.length > 0) {
    return undefined;
  }
  const { batch, plan } = held;
  const input = held.input.subarray(shard.byteOffset, shard.byteOffset + shard.byteLength);
  return { ref, batch, model: plan.model, shard, shardCount: 1, input };
}

/**
 * `undefined` when the batch has ended, and its plan may be gone: an engine that was restored from an
 * older copy runs such a batch once more.
 */
export async function loadShard(
  deps: ActivityDeps,
  ref: ShardRef,
): Promise<PlannedShard | undefined> {
  const batch = await deps.batches.get(ref);
  if (batch !== undefined && isTerminal(batch.status)) {
    return undefined;
  }
  const plan = batch && (await loadPlan(deps, batch));
  const shard = plan?.shards[ref.shardIndex];
  if (batch === undefined || plan === undefined || shard === undefined) {
    throw new MissingObject('record or plan', ref);
  }
  return { ref, batch, model: plan.model, shard, shardCount: plan.shards.length };
}

/**
 * Takes the shard's next epoch, unless it is sealed.
 *
 * @param isNew there is most likely no ledger.
 */
export async function openShard(
  deps: ActivityDeps,
  planned: PlannedShard,
  isNew = false,
): Promise<{ readonly seal: Seal } | { readonly open: OpenShard; readonly seal?: undefined }> {
  const options = ledgerOptions(deps, planned);
  if (planned.input !== undefined) {
    return { open: { ...planned, ledger: beginFirst(options) } };
  }
  const first = isNew ? await takeFirst(options) : undefined;
  const taken = first === undefined ? await takeOver(options) : { ledger: first };
  return taken.seal === undefined
    ? { open: { ...planned, ledger: taken.ledger } }
    : { seal: taken.seal };
}

/** Takes the next epoch of a shard whatever it is: for one that was sealed, and has to be again. */
export async function reopenShard(deps: ActivityDeps, planned: PlannedShard): Promise<OpenShard> {
  return { ...planned, ledger: await reopen(ledgerOptions(deps, planned)) };
}

export function sealedResult(seal: Seal): SliceResult {
  return { sealed: true, ended: false, counts: seal.counts };
}
