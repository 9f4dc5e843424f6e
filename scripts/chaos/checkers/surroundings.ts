/** Checkers of the processes and the store around the batches. */
import type { Observation } from '../observation';

const shownMax = 3;

/** Nothing is left in the store that nothing refers to. */
export function nothingLeftBehind({ leftovers }: Observation): string[] {
  const shown = leftovers.slice(0, shownMax).map(({ key, why }) => `${key} (${why})`);
  return leftovers.length === 0
    ? []
    : [`${leftovers.length} objects are left: ${shown.join(', ')}`];
}

/** The API answers, or says that it is unavailable for now. */
export function apiNotAtFault({ apiFaults }: Observation): string[] {
  return apiFaults.slice(0, shownMax);
}

/**
 * No process ends without being told to. A worker that lost its engine may: it is started again.
 */
export function noCrashes({ crashes, disruptions }: Observation): string[] {
  const engineFailed = disruptions.some(({ target }) => target === 'temporal');
  return crashes
    .filter(({ target }) => !(target.startsWith('worker') && engineFailed))
    .map(({ target, how }) => `${target} ${how}`);
}

/** A process that is told to end does so within its time. */
export function endsWhenTold({ disruptions }: Observation): string[] {
  return disruptions
    .filter(({ wasKilled }) => wasKilled)
    .map(({ target, from, to }) => `${target} had not ended ${to - from} ms after SIGTERM`);
}
