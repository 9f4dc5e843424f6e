/**
 * The fate of an attempt at a request line, and how long to wait before the next one.
 *
 * An *answer* is the line's result, good or bad. A *server error* may get better and uses up an
 * attempt. An upstream that is *unavailable*, a *rate limit* or a fault of the *route* says nothing
 * about the line: it waits, and the attempt is not counted — unless the same upstream meanwhile
 * answers other lines, which shows that this line is the trouble after all (a request above its
 * token limit would otherwise be refused for ever). A line that is alone with its failures may have
 * met an upstream that is not ready yet, even if that passes its health checks; only after some
 * patience do they count. A request that never reached the upstream cannot be the trouble and is
 * never counted.
 */

export const attemptKinds = [
  'answer',
  'server_error',
  'unavailable',
  'unreachable',
  'rate_limited',
  'route_fault',
] as const;
export type AttemptKind = (typeof attemptKinds)[number];

/** When a failed attempt counts: `if_others_succeed` needs a 2xx for another line meanwhile. */
interface AttemptPolicy {
  readonly counts: 'always' | 'if_others_succeed' | 'if_others_succeed_or_after_patience' | 'never';
  readonly attemptsMax: number;
}

export const attemptPolicies: Readonly<Record<Exclude<AttemptKind, 'answer'>, AttemptPolicy>> = {
  server_error: { counts: 'always', attemptsMax: 5 },
  unavailable: { counts: 'if_others_succeed_or_after_patience', attemptsMax: 5 },
  unreachable: { counts: 'never', attemptsMax: Number.POSITIVE_INFINITY },
  rate_limited: { counts: 'if_others_succeed', attemptsMax: 20 },
  route_fault: { counts: 'if_others_succeed', attemptsMax: 5 },
};

/** What is known about the upstream when an attempt has failed. */
export interface AttemptContext {
  /** The upstream answered another line with 2xx since this line's attempt before, or since it began. */
  readonly othersSucceeded: boolean;
  /** The line has failed for long without its upstream having been down. */
  readonly patienceIsOver: boolean;
}

/**
 * Judges an HTTP status of an upstream. 402 is an account without money, 404 a model that is not
 * loaded or a wrong base URL, and so is a redirect, which is not followed.
 */
export function attemptKindOf(status: number): AttemptKind {
  switch (status) {
    case 429:
      return 'rate_limited';
    case 401:
    case 402:
    case 403:
    case 404:
      return 'route_fault';
    case 502:
    case 503:
    case 504:
      return 'unavailable';
    case 408:
    case 409:
    case 425:
      return 'server_error';
    default:
      return kindOfClass(status);
  }
}

function kindOfClass(status: number): AttemptKind {
  if (status >= 500) {
    return 'server_error';
  }
  return status >= 300 && status < 400 ? 'route_fault' : 'answer';
}

export function attemptCounts(
  kind: Exclude<AttemptKind, 'answer'>,
  context: AttemptContext,
): boolean {
  switch (attemptPolicies[kind].counts) {
    case 'always':
      return true;
    case 'if_others_succeed':
      return context.othersSucceeded;
    case 'if_others_succeed_or_after_patience':
      return context.othersSucceeded || context.patienceIsOver;
    case 'never':
      return false;
  }
}

/** What a line's attempts have come to, as one slice hands it to the next. */
export interface LineAttempts {
  /** Failed attempts, counted or not. */
  readonly failed: number;
  /** Failed attempts that count: each kind by itself, so that one does not use up another's. */
  readonly counted: Readonly<Partial<Record<Exclude<AttemptKind, 'answer'>, number>>>;
  /** For how long the line has failed without its upstream having been down, in milliseconds. */
  readonly failingMs: number;
  /** Attempts in a row with which the upstream went down; absent when there were none. */
  readonly downs?: number;
}

const backoffMsMin = 500;
const backoffMsMax = 30_000;

/**
 * Exponential backoff with full jitter: between half of and all of 0.5 s · 2ⁿ, at most 30 s.
 *
 * @param failures failed attempts so far, at least 1.
 * @param random in [0, 1).
 */
export function backoffMs(failures: number, random: number): number {
  const ceiling = Math.min(backoffMsMax, backoffMsMin * 2 ** Math.min(failures - 1, 16));
  return Math.round(ceiling * (0.5 + random / 2));
}

const retryAfterMsMax = 10 * 60_000;
/** All three forms begin with the day and hold a time. `Date.parse` alone also takes `-5` for a date. */
const httpDatePattern = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun).* \d\d:\d\d:\d\d/;

/**
 * `Retry-After` in milliseconds, in seconds or as an HTTP date (RFC 9110 §10.2.3), capped at ten
 * minutes because an upstream is not trusted. `undefined` when absent or unreadable.
 */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) {
    return undefined;
  }
  const waitMs = waitMsOf(header.trim(), nowMs);
  return Number.isNaN(waitMs) ? undefined : Math.min(retryAfterMsMax, Math.max(0, waitMs));
}

function waitMsOf(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) {
    return Number(text) * 1000;
  }
  // The oldest form names no zone: it is GMT like the others.
  const date = text.endsWith('GMT') ? text : `${text} GMT`;
  return httpDatePattern.test(text) ? Date.parse(date) - nowMs : NaN;
}
