/** Checkers of what a client sees of a batch over time. */
import type { Batch } from '../../local/batches';
import {
  finalBatch,
  isTerminal,
  type BatchObservation,
  type Observation,
  type Poll,
} from '../observation';
import { shortWindows } from '../plan';
import { flushBound } from './disturbances';

/** A batch reaches a terminal status by itself. */
export function endsByItself(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const final = finalBatch(batch);
    return final !== undefined && isTerminal(final)
      ? []
      : [`batch ${batch.plan.name} is still ${final?.status ?? 'not created'}`];
  });
}

/** It ends as its plan allows, and an accepted cancel holds. */
export function rightEnd(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const status = finalBatch(batch)?.status ?? 'none';
    const allowed = allowedEnds(batch);
    return !isTerminal({ status: status as Batch['status'] }) || allowed.includes(status)
      ? []
      : [`batch ${batch.plan.name} is ${status} instead of ${allowed.join(' or ')}`];
  });
}

const ranks: Readonly<Record<Batch['status'], number>> = {
  validating: 0,
  in_progress: 1,
  finalizing: 2,
  cancelling: 2,
  completed: 3,
  failed: 3,
  cancelled: 3,
  expired: 3,
};

/** Status never moves backward or sideways. */
export function statusMovesForward(seen: Observation): string[] {
  return perPair(seen, ({ before, after }) => {
    const [from, to] = [before.status, after.status];
    const isForward = from === to || ranks[from] < ranks[to];
    const isAllowed = to !== 'cancelled' || from !== 'finalizing';
    return isForward && isAllowed ? [] : [`went from ${from} to ${to}`];
  });
}

const timestamps = [
  'in_progress_at',
  'finalizing_at',
  'cancelling_at',
  'completed_at',
  'failed_at',
  'expired_at',
  'cancelled_at',
] as const;

/** A timestamp, once it is set, never changes; nor does what was fixed when the batch was created. */
export function timestampsStay(seen: Observation): string[] {
  return perPair(seen, ({ before, after }) => [
    ...timestamps.flatMap((name) => {
      const [was, is] = [before[name] ?? null, after[name] ?? null];
      return was === null || was === is ? [] : [`has ${name} ${String(is)} after ${was}`];
    }),
    ...(['id', 'created_at', 'expires_at', 'input_file_id'] as const).flatMap((name) =>
      before[name] === after[name] ? [] : [`has another ${name}`],
    ),
  ]);
}

/** The timestamps of a batch that has ended fit its status and follow one another. */
export function timestampsOrdered(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const final = finalBatch(batch);
    if (final === undefined || !isTerminal(final)) {
      return [];
    }
    const terminal = timestamps.slice(3).filter((name) => typeof final[name] === 'number');
    const times = [
      final.created_at,
      ...timestamps.flatMap((name) => (typeof final[name] === 'number' ? [final[name]] : [])),
    ];
    return [
      ...(terminal.join() === `${final.status}_at`
        ? []
        : [`batch ${batch.plan.name} is ${final.status} and has ${terminal.join()}`]),
      ...(times.every((at, index) => index === 0 || at >= (times[index - 1] ?? 0))
        ? []
        : [`batch ${batch.plan.name} has the times ${times.join()}`]),
    ];
  });
}

/** At every poll the counts are possible: not negative, not above the total, which never changes. */
export function countsAddUp(seen: Observation): string[] {
  return perBatch(seen, (batch) =>
    batch.polls.flatMap(
      ({ batch: { request_counts: counts, status, in_progress_at: validatedAt } }) => {
        const { total = -1, completed = -1, failed = -1 } = counts ?? {};
        const isTotalRight =
          total === batch.input.lines.length || (total === 0 && typeof validatedAt !== 'number');
        const isSumRight = completed >= 0 && failed >= 0 && completed + failed <= total;
        return isTotalRight && isSumRight ? [] : [`says ${status} with ${JSON.stringify(counts)}`];
      },
    ),
  );
}

/**
 * Counts never go down, but by what a worker committed after its shard was taken over: at most what
 * the upstream answered within one flush, and only where something was killed or stood still.
 */
export function countsNeverGoDown(seen: Observation): string[] {
  const bound = flushBound(seen);
  return perPair(seen, (pair) => {
    const lost = countsLost(pair);
    const allowed = bound(pair.at);
    return lost <= allowed
      ? []
      : [`lost ${lost} lines of its counts, ${allowed} at most are right`];
  });
}

/** What was counted as completed before a cancel or an expiry is in the output file. */
export function finishedLinesSurvive(seen: Observation): string[] {
  const bound = flushBound(seen);
  return perBatch(seen, ({ polls }) => {
    const final = polls.at(-1);
    const running = polls.filter(({ batch }) => !isTerminal(batch));
    const seenMax = Math.max(
      0,
      ...running.map(({ batch }) => batch.request_counts?.completed ?? 0),
    );
    const kept = final?.batch.request_counts?.completed ?? 0;
    return final === undefined || !isTerminal(final.batch) || kept >= seenMax - bound(final.at)
      ? []
      : [`had ${seenMax} completed lines and kept ${kept}`];
  });
}

/** However often a create was repeated, there is one batch. */
export function createdOnce(seen: Observation): string[] {
  return seen.batches.flatMap(({ plan, listed }) =>
    listed === 1 ? [] : [`batch ${plan.name} exists ${listed} times`],
  );
}

function allowedEnds({ plan, input, actions }: BatchObservation): string[] {
  const wasAccepted = actions.some(
    ({ kind, outcome }) => kind === 'cancel' && /^cancel(ling|led)$/.test(outcome),
  );
  if (wasAccepted) {
    return ['cancelled'];
  }
  const mayBeCancelled = plan.actions.some(({ kind }) =>
    ['cancel', 'cancel-workflow', 'terminate-batch'].includes(kind),
  );
  const mayExpire = shortWindows.some((window) => window === plan.completionWindow);
  return [
    input.badLineNumbers.length > 0 ? 'failed' : 'completed',
    ...(mayBeCancelled ? ['cancelled'] : []),
    ...(mayExpire ? ['expired'] : []),
  ];
}

/** Lines by which the counts of a batch went down at most, from one poll to the next. */
export function countsLostMax(seen: Observation): number {
  return Math.max(0, ...seen.batches.flatMap(({ polls }) => pairsOf(polls).map(countsLost)));
}

function countsLost({ before, after }: Pair): number {
  const loss = (name: 'completed' | 'failed'): number =>
    (before.request_counts?.[name] ?? 0) - (after.request_counts?.[name] ?? 0);
  return Math.max(loss('completed'), loss('failed'));
}

interface Pair {
  readonly before: Batch;
  readonly after: Batch;
  readonly at: number;
}

function perPair(seen: Observation, check: (pair: Pair) => string[]): string[] {
  return perBatch(seen, ({ polls }) => pairsOf(polls).flatMap(check));
}

function pairsOf(polls: readonly Poll[]): Pair[] {
  return polls.slice(1).flatMap(({ batch: after, at }, index) => {
    const before = polls[index]?.batch;
    return before === undefined ? [] : [{ before, after, at }];
  });
}

const shownMax = 3;

function perBatch(seen: Observation, check: (batch: BatchObservation) => string[]): string[] {
  return seen.batches.flatMap((batch) =>
    check(batch)
      .slice(0, shownMax)
      .map((problem) => `batch ${batch.plan.name} ${problem}`),
  );
}
