/** Answers what has no answer with an error line, without calling an upstream. */
import { segmentCountMax } from '../src/domain/limits';
import type { LineFailure } from '../src/domain/outcome';
import { noUsage } from '../src/domain/usage';
import type { ActivityDeps } from './deps';
import type { OpenShard } from './open-shard';
import { failedLine } from './result-line';
import { SegmentWriter } from './segment-writer';
import { unansweredLines } from './unanswered-lines';

export interface ClosingAnswer {
  /** One of `outcomeKinds`. */
  readonly kind: number;
  readonly failure: LineFailure;
}

/** @param onWritten told how many lines were answered, some at a time. */
export async function closeLines(
  deps: ActivityDeps,
  open: OpenShard,
  { kind, failure }: ClosingAnswer,
  onWritten: (lineCount: number) => void,
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
        const pieces = [failedLine(line, failure)];
        writer.add({ ordinal: line.ordinal, kind, pieces, usage: noUsage });
      }
      onWritten(lines.length);
      if (!deps.budget.hasRoom()) {
        await writer.flush();
      }
    }
    await writer.flush();
  } finally {
    await writer.close();
  }
}
