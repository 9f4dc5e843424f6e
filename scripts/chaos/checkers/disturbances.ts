/** Which kills and outages may cost what. */
import type { Disruption, Observation } from '../observation';

/** A flush begins a second after its first line, and takes a while on a busy machine. */
const flushMs = 3_000;
/**
 * Two runs of one slice overlap until the older one learns that it has been replaced, from its next
 * heartbeat or from the store; and a takeover begins at most so long after the heartbeats stopped.
 */
const takeoverMs = 20_000;

/**
 * What a slice may have to answer again because of a disruption: answers from a flush before it to
 * the end of the takeover. A restarted worker commits first, and an API holds nothing.
 */
export function mayCostAnswers(disruption: Disruption, answeredAt: number): boolean {
  return (
    costsAnswers(disruption) &&
    answeredAt >= disruption.from - flushMs &&
    answeredAt <= disruption.to + takeoverMs
  );
}

/** Lines that the counts of a batch may lose at a time, at most. */
export function flushBound(seen: Observation): (at: number) => number {
  const answers = seen.journal.flatMap(({ kind, at }) => (kind === 'answer' ? [at] : []));
  const flush = maxWithin(answers, flushMs);
  return (at) =>
    seen.disruptions.some((one) => costsAnswers(one) && at >= one.from && at <= one.to + takeoverMs)
      ? flush
      : 0;
}

function costsAnswers({ target, kind, wasKilled }: Disruption): boolean {
  switch (target) {
    case 'api':
      return false;
    case 'worker-1':
    case 'worker-2':
      return kind !== 'restart' || wasKilled;
    case 'temporal':
    case 'minio':
    case 'upstream':
      return true;
  }
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
