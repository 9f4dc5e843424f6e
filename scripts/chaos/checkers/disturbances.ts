/** Which kills and outages may cost what, and when. docs/chaos.md says why. */
import type { Disruption, Observation } from '../observation';

/** A flush begins a second after its first line, and takes a while on a busy machine. */
const flushMs = 3_000;
/** What is on its way when a process dies. */
const inTransitMs = 1_000;
/** A thawed upstream answers requests that were given up meanwhile. */
const wakingMs = 6_000;
/**
 * Two runs of one slice overlap until the older one learns that it has been replaced, from its next
 * heartbeat or from the store; and a takeover begins at most so long after the heartbeats stopped.
 */
const takeoverMs = 20_000;

/** Whether an answer of that time may have to be asked for again because of the disruption. */
export function mayCostAnswers(disruption: Disruption, answeredAt: number): boolean {
  const until = costsAnswersUntil(disruption);
  return until !== undefined && answeredAt >= disruption.from - flushMs && answeredAt <= until;
}

/** Lines that the counts of a batch may lose at some time, at most. */
export function flushBound(seen: Observation): (at: number) => number {
  const answers = seen.journal.flatMap(({ kind, at }) => (kind === 'answer' ? [at] : []));
  const flush = maxWithin(answers, flushMs);
  return (at) =>
    seen.disruptions.some(
      (one) => leavesTwoRuns(one) && at >= one.from && at <= one.to + takeoverMs,
    )
      ? flush
      : 0;
}

/** `undefined` where a disruption costs no answer. */
function costsAnswersUntil(disruption: Disruption): number | undefined {
  const { target, kind, from, to, wasKilled } = disruption;
  if (leavesTwoRuns(disruption)) {
    return to + takeoverMs;
  }
  if (target === 'upstream') {
    return to + wakingMs;
  }
  if (target === 'api' || (kind === 'restart' && !wasKilled)) {
    return undefined;
  }
  return (kind === 'kill' ? from : to) + inTransitMs;
}

/** A slice may be run elsewhere while its former run still writes. */
function leavesTwoRuns({ target, kind }: Disruption): boolean {
  return (
    target === 'temporal' ||
    target === 'minio' ||
    (target.startsWith('worker') && kind === 'freeze')
  );
}

/** @param times in ascending order. */
function maxWithin(times: readonly number[], windowMs: number): number {
  let first = 0;
  return times.reduce((most, at, index) => {
    while ((times[first] ?? at) < at - windowMs) {
      first += 1;
    }
    return Math.max(most, index - first + 1);
  }, 0);
}
