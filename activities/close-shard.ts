/**
 * Seals one shard of a batch that ended early, without calling an upstream: lines without an answer
 * become `batch_cancelled`, `batch_expired` or `batch_failed` lines of the error file.
 *
 * Idempotent: takes the shard's next epoch, like a slice; a sealed shard stays as it is, and so does
 * one of a batch that has ended.
 * Heartbeats every second with the number of lines written.
 * Resumes from the segments that its epoch names.
 * Never fails for good.
 */
import { unansweredFailures, unansweredKinds } from '../src/domain/outcome';
import type { CloseShardInput } from '../src/domain/workflow-contract';
import { closeLines } from './close-lines';
import { MissingObject, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { loadShard, openShard } from './open-shard';

export async function closeShard(deps: ActivityDeps, input: CloseShardInput): Promise<void> {
  const { shard, reason } = input;
  const written = { shard: shard.shardIndex, linesWritten: 0 };
  await heartbeating(written, async () => {
    const planned = await loadShard(deps, shard);
    if (planned === undefined) {
      return;
    }
    const opened = await openShard(deps, planned);
    if (opened.seal !== undefined) {
      return;
    }
    const { open } = opened;
    const answer = { kind: unansweredKinds[reason], failure: unansweredFailures[reason] };
    await closeLines(deps, open, answer, (lineCount) => {
      written.linesWritten += lineCount;
    });
    if ((await open.ledger.seal()) === undefined) {
      // Found only now: the next attempt answers its lines.
      throw new MissingObject('intact segment', shard);
    }
  });
}
