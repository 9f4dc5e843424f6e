/**
 * The seals of a batch's shards, each with objects that are still what was sealed.
 *
 * Where a sealed object is damaged or gone, or the epoch that names it, the shard is sealed anew under
 * a later epoch, from its segments: they stay until the batch is cleaned up. Of a line whose segment
 * is damaged as well the answer is lost; the batch has ended, and so it is not asked again but
 * becomes an error line, `result_lost`.
 */
import { Context } from '@temporalio/activity';
import { lostFailure, outcomeKinds } from '../src/domain/outcome';
import { batchKeys } from '../src/domain/object-keys';
import type { FinalizeInput, ShardRef } from '../src/domain/workflow-contract';
import { damagedObjects, type Seal } from '../src/ledger/seal';
import { readSeal } from '../src/ledger/shard-ledger';
import { closeLines } from './close-lines';
import { MissingObject, type ActivityDeps } from './deps';
import { loadShard, reopenShard } from './open-shard';

const shardsInParallel = 16;
/** Whoever has failed so often to write the files reads what they are made of. */
const thoroughAttempt = 4;

/** In the order of the shards. */
export async function intactSeals(
  deps: ActivityDeps,
  { ref, shardCount }: FinalizeInput,
): Promise<Seal[]> {
  const seals: Seal[] = [];
  for (let from = 0; from < shardCount; from += shardsInParallel) {
    const count = Math.min(shardsInParallel, shardCount - from);
    const some = Array.from({ length: count }, async (_, at) => {
      const shard = { ...ref, shardIndex: from + at };
      return (await intactSeal(deps, shard)) ?? (await sealAnew(deps, shard));
    });
    seals.push(...(await Promise.all(some)));
  }
  return seals;
}

async function intactSeal(
  { store, logger }: ActivityDeps,
  { projectId, batchId, shardIndex }: ShardRef,
): Promise<Seal | undefined> {
  const keys = batchKeys(projectId, batchId).shard(shardIndex);
  const seal = await readSeal({ store, keys });
  const isThorough = Context.current().info.attempt >= thoroughAttempt;
  const damaged = seal === undefined ? [] : await damagedObjects(store, seal, isThorough);
  for (const key of damaged) {
    const sealed = { batch: batchId, shard: shardIndex, key };
    logger.error(sealed, 'a sealed object is damaged or missing: its shard is sealed anew');
  }
  return damaged.length === 0 ? seal : undefined;
}

async function sealAnew(deps: ActivityDeps, ref: ShardRef): Promise<Seal> {
  const planned = await loadShard(deps, ref);
  if (planned === undefined) {
    // Another run was faster; the next attempt sees that the batch has ended.
    throw new MissingObject('plan', ref);
  }
  const open = await reopenShard(deps, planned);
  let lost = 0;
  await closeLines(deps, open, { kind: outcomeKinds.failed, failure: lostFailure }, (lineCount) => {
    lost += lineCount;
  });
  const seal = await open.ledger.seal();
  if (seal === undefined) {
    // A segment turned out to be damaged only now: the next attempt finds its lines without answer.
    throw new MissingObject('intact segment', ref);
  }
  const { damagedCount: damaged } = open.ledger;
  const shard = { batch: ref.batchId, shard: ref.shardIndex };
  deps.logger.warn({ ...shard, lost, damaged }, 'a shard was sealed anew');
  return seal;
}
