import type { ResultForm } from '../src/domain/batch';
import { outcomeKinds } from '../src/domain/outcome';
import { noUsage } from '../src/domain/usage';
import type { SegmentLine } from '../src/ledger/segment';
import { isSuccess } from '../src/upstream/answer';
import type { LineOutcome } from '../src/upstream/dispatcher';
import { answeredLine, failedLine } from './result-line';
import type { UnansweredLine } from './unanswered-lines';

/** The result line of a request that has an outcome. */
export function toSegmentLine(
  line: UnansweredLine,
  outcome: LineOutcome,
  form: ResultForm | undefined,
): SegmentLine {
  const { ordinal } = line;
  if (outcome.answer === undefined) {
    const pieces = [failedLine(line, outcome.failure)];
    return { ordinal, kind: outcomeKinds.failed, pieces, usage: noUsage };
  }
  return {
    ordinal,
    kind: isSuccess(outcome.answer.status) ? outcomeKinds.completed : outcomeKinds.failed,
    pieces: answeredLine(line, outcome.answer, form),
    usage: outcome.answer.usage,
  };
}
