/** All checkers, by the names that reports use. Each is a pure function of what was seen. */
import type { Observation } from '../observation';
import * as lifecycle from './lifecycle';
import * as requests from './requests';
import * as results from './results';
import * as surroundings from './surroundings';
import type { Checker } from './checker';

export const checkers = {
  'ends-by-itself': lifecycle.endsByItself,
  'right-end': lifecycle.rightEnd,
  'exactly-once': results.exactlyOnce,
  'lines-well-formed': results.linesWellFormed,
  'right-file': results.rightFile,
  'bytes-exact': results.bytesExact,
  'input-order': results.inputOrder,
  'counts-match-files': results.countsMatchFiles,
  'usage-adds-up': results.usageAddsUp,
  'file-objects': results.fileObjects,
  'bad-lines-reported': results.badLinesReported,
  'status-moves-forward': lifecycle.statusMovesForward,
  'timestamps-stay': lifecycle.timestampsStay,
  'timestamps-ordered': lifecycle.timestampsOrdered,
  'counts-add-up': lifecycle.countsAddUp,
  'counts-never-go-down': lifecycle.countsNeverGoDown,
  'finished-lines-survive': lifecycle.finishedLinesSurvive,
  'created-once': lifecycle.createdOnce,
  'bodies-arrive-intact': requests.bodiesArriveIntact,
  'executed-lines-arrived': requests.executedLinesArrived,
  'invalid-batches-send-nothing': requests.invalidBatchesSendNothing,
  'repeats-explained': requests.repeatsExplained,
  'attempts-bounded': requests.attemptsBounded,
  'quiet-after-cancel': requests.quietAfterCancel,
  'quiet-after-end': requests.quietAfterEnd,
  'nothing-left-behind': surroundings.nothingLeftBehind,
  'api-not-at-fault': surroundings.apiNotAtFault,
  'no-crashes': surroundings.noCrashes,
  'ends-when-told': surroundings.endsWhenTold,
} as const satisfies Record<string, Checker>;

export type CheckerName = keyof typeof checkers;

export interface Problem {
  readonly checker: CheckerName;
  readonly what: string;
}

export function check(seen: Observation): Problem[] {
  return (Object.keys(checkers) as CheckerName[]).flatMap((checker) =>
    checkers[checker](seen).map((what) => ({ checker, what })),
  );
}
