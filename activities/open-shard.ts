/** Opening a shard: what it is, and its ledger taken over. */
import type { BatchRecord } from '../src/domain/batch';
import type { Shard } from '../src/domain/shard-plan';
import type { ShardRef, SliceResult } from '../src/domain/workflow-contract';
import type { Seal } from '../src/ledger/seal';
import { takeOver, type ShardLedger } from '../src/ledger/shard-ledger';
import { ledgerOptions, MissingObject, type ActivityDeps } from './deps';

export interface OpenShard {
  readonly ref: ShardRef;
  readonly batch: BatchRecord;
  readonly model: string;
  readonly shard: Shard;
  readonly ledger: ShardLedger;
}

/** Takes the shard's next epoch, unless it is sealed. */
export async function openShard(
  deps: ActivityDeps,
  ref: ShardRef,
): Promise<{ readonly seal: Seal } | { readonly open: OpenShard; readonly seal?: undefined }> {
  const [batch, plan] = await Promise.all([deps.batches.get(ref), deps.batches.getPlan(ref)]);
  const shard = plan?.shards[ref.shardIndex];
  if (batch === undefined || plan === undefined || shard === undefined) {
    throw new MissingObject('record or plan', ref);
  }
  const taken = await takeOver(ledgerOptions(deps, ref));
  return taken.seal === undefined
    ? { open: { ref, batch, model: plan.model, shard, ledger: taken.ledger } }
    : { seal: taken.seal };
}

export function sealedResult(seal: Seal): SliceResult {
  return { sealed: true, ended: false, counts: seal.counts };
}
