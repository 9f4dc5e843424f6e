/**
 * Seals one shard of a batch that was cancelled or has expired, without calling an upstream: lines
 * without an answer become `batch_cancelled` or `batch_expired` lines of the error file.
 *
 * Idempotent: takes the shard's next epoch, like a slice; a sealed shard stays as it is.
 * Heartbeats every second with the number of lines written.
 * Resumes from the segments that its epoch names.
 * Never fails for good.
 */
import { segmentCountMax } from '../src/domain/limits';
import { outcomeKinds, unansweredFailures } from '../src/domain/outcome';
import { noUsage } from '../src/domain/usage';
import type { CloseShardInput } from '../src/domain/workflow-contract';
import { MissingObject, type ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { loadShard, openShard, type OpenShard } from './open-shard';
import { failedLine } from './result-line';
import { SegmentWriter } from './segment-writer';
import { unansweredLines } from './unanswered-lines';

export async function closeShard(deps: ActivityDeps, input: CloseShardInput): Promise<void> {
  const written = { shard: input.shard.shardIndex, linesWritten: 0 };
  await heartbeating(written, async () => {
    const opened = await openShard(deps, await loadShard(deps, input.shard));
    if (opened.seal !== undefined) {
      return;
    }
    const { open } = opened;
    await answerAll(deps, { open, reason: input.reason, written });
    if ((await open.ledger.seal()) === undefined) {
      throw new MissingObject('intact segment', input.shard);
    }
  });
}

async function answerAll(
  deps: ActivityDeps,
  {
    open,
    reason,
    written,
  }: {
    readonly open: OpenShard;
    readonly reason: CloseShardInput['reason'];
    readonly written: { linesWritten: number };
  },
): Promise<void> {
  const writer = new SegmentWriter({
    budget: deps.budget,
    commit: async (lines) => {
      await open.ledger.commit(lines);
      await open.ledger.compact(segmentCountMax);
    },
    onFailure: () => undefined,
  });
  try {
    for await (const lines of unansweredLines(deps, open)) {
      for (const line of lines) {
        const bytes = failedLine(line, unansweredFailures[reason]);
        writer.add({ ordinal: line.ordinal, kind: outcomeKinds[reason], bytes, usage: noUsage });
      }
      written.linesWritten += lines.length;
      if (!deps.budget.hasRoom()) {
        await writer.flush();
      }
    }
    await writer.flush();
  } finally {
    await writer.close();
  }
}
