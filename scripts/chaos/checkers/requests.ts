/** Checkers of what reached the upstream. */
import type { JournalEntry } from '../../simulator/journal';
import type { PlannedLine } from '../batch-input';
import { finalBatch, isTerminal, type Observation } from '../observation';
import { mayCostAnswers } from './disturbances';
import { readableLines } from './result-lines';

/** Attempts that count are at most twenty of a kind; a killed worker forgets those so far. */
const attemptsMax = 60;
/** A poll sees the end of a batch this much later than slices at most, and answers take a while. */
const afterEndMs = 3_000;

/** Every request arrived as the bytes that stand in the input. */
export function bodiesArriveIntact(seen: Observation): string[] {
  const planned = new Set(seen.batches.flatMap(({ input }) => input.lines.map(({ hash }) => hash)));
  const unknown = seen.journal.filter(({ hash }) => !planned.has(hash)).length;
  return unknown === 0 ? [] : [`${unknown} requests are in no input file`];
}

/** A line with an answer was sent at least once. */
export function executedLinesArrived(seen: Observation): string[] {
  const received = new Set(requestsOf(seen.journal).map(({ hash }) => hash));
  return seen.batches.flatMap((batch) => {
    const { output, errors } = readableLines(batch);
    const answered = [...output, ...errors].filter(({ response }) => response !== undefined);
    const hashOf = new Map(batch.input.lines.map(({ customId, hash }) => [customId, hash]));
    const never = answered.filter(({ customId }) => !received.has(hashOf.get(customId) ?? ''));
    return never.length === 0
      ? []
      : [`batch ${batch.plan.name} has ${never.length} answers that nobody gave`];
  });
}

/** A batch that failed or ended before its validation sent nothing. */
export function invalidBatchesSendNothing(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const final = finalBatch(batch);
    const sent = requestsOf(seen.journal).filter(isOf(batch.input.lines)).length;
    return final?.status === 'failed' && sent > 0
      ? [`batch ${batch.plan.name} did not validate and sent ${sent} requests`]
      : [];
  });
}

/**
 * A request that was answered is sent again only when a kill or an outage close to its answer can
 * have cost the answer.
 */
export function repeatsExplained(seen: Observation): string[] {
  const unexplained = repeatsOf(seen).filter(
    ({ answeredAt }) => !seen.disruptions.some((one) => mayCostAnswers(one, answeredAt)),
  );
  const [first] = unexplained;
  return first === undefined
    ? []
    : [
        `${unexplained.length} answered requests were sent again without a reason, the first ${first.answeredAt - seen.startedAt} ms after the start, again after ${first.againAt - first.answeredAt} ms`,
      ];
}

/** No line is tried for ever. */
export function attemptsBounded(seen: Observation): string[] {
  const times = new Map<string, number>();
  for (const { hash } of requestsOf(seen.journal)) {
    times.set(hash, (times.get(hash) ?? 0) + 1);
  }
  const most = Math.max(0, ...times.values());
  return most <= attemptsMax ? [] : [`a request was sent ${most} times`];
}

/** Slices look for the end once a second, and a busy machine takes its time. */
const afterCancelMs = 5_000;

/** After a cancel was accepted nothing new is sent, unless something was killed or stood still. */
export function quietAfterCancel(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const cancel = batch.actions.find(
      ({ kind, outcome }) => kind === 'cancel' && outcome === 'cancelling',
    );
    if (cancel === undefined) {
      return [];
    }
    const isDisturbed = (until: number): boolean =>
      seen.disruptions.some(({ from, to }) => from <= until && to >= cancel.at - afterCancelMs);
    const first = new Map<string, number>();
    for (const { hash, at } of requestsOf(seen.journal).filter(isOf(batch.input.lines))) {
      first.set(hash, first.get(hash) ?? at);
    }
    const late = [...first.values()].filter(
      (at) => at > cancel.at + afterCancelMs && !isDisturbed(at),
    );
    return late.length === 0
      ? []
      : [`batch ${batch.plan.name} sent ${late.length} new requests after its cancel`];
  });
}

/** A batch that has ended sends nothing more, unless a process slept through its end. */
export function quietAfterEnd(seen: Observation): string[] {
  return seen.batches.flatMap((batch) => {
    const end = batch.polls.find((poll) => isTerminal(poll.batch));
    if (end === undefined) {
      return [];
    }
    const late = requestsOf(seen.journal)
      .filter(isOf(batch.input.lines))
      .filter(({ at }) => at > end.at + afterEndMs)
      .filter(
        ({ at }) => !seen.disruptions.some((one) => one.kind === 'freeze' && one.to > at - 20_000),
      );
    return late.length === 0
      ? []
      : [`batch ${batch.plan.name} sent ${late.length} requests after its end`];
  });
}

export interface Repeat {
  readonly answeredAt: number;
  readonly againAt: number;
}

/** Requests that were received after they had been answered for good. */
export function repeatsOf(seen: Pick<Observation, 'journal'>): Repeat[] {
  const answeredAt = new Map<string, number>();
  const repeats: Repeat[] = [];
  for (const { kind, at, hash, status } of seen.journal) {
    const earlier = answeredAt.get(hash);
    if (kind === 'request' && earlier !== undefined) {
      repeats.push({ answeredAt: earlier, againAt: at });
    } else if (kind === 'answer' && isFinal(status)) {
      answeredAt.set(hash, at);
    }
  }
  return repeats;
}

/** How old a repeated answer was at most when the disruption began that can have cost it. */
export function lostAnswerMs(seen: Observation): number {
  const ages = repeatsOf(seen).map(({ answeredAt }) =>
    Math.min(
      ...seen.disruptions
        .filter((one) => mayCostAnswers(one, answeredAt))
        .map(({ from }) => Math.max(0, from - answeredAt)),
    ),
  );
  return Math.max(0, ...ages.filter(Number.isFinite));
}

const passingRefusals = [401, 402, 403, 404, 408, 409, 425, 429];

function isFinal(status = 0): boolean {
  return status === 200 || (status >= 400 && status < 500 && !passingRefusals.includes(status));
}

function requestsOf(journal: readonly JournalEntry[]): JournalEntry[] {
  return journal.filter(({ kind }) => kind === 'request');
}

function isOf(lines: readonly PlannedLine[]): (entry: JournalEntry) => boolean {
  const hashes = new Set(lines.map(({ hash }) => hash));
  return ({ hash }) => hashes.has(hash);
}
