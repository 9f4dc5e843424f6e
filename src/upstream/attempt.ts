/** What came of one attempt at a request line, judged by `src/domain/retry.ts`. */
import { errors } from 'undici';
import { answerBytesMax } from '../domain/limits';
import { attemptKindOf, retryAfterMs, type AttemptKind } from '../domain/retry';
import { isSuccess, readAnswer, type LargeBody } from './answer';
import type { LineOutcome } from './dispatcher';

export type FailedAttemptKind = Exclude<AttemptKind, 'answer'>;

export interface Attempt {
  readonly kind: AttemptKind;
  /** What the line ends with, if this was its last attempt. */
  readonly outcome: LineOutcome;
  /** HTTP status or error code, for the operator. */
  readonly cause: number | string;
  /** How long the upstream asks everybody to wait. */
  readonly retryAfterMs: number | undefined;
  /** The upstream has more to do than it can: a refusal for load, or no answer in time. */
  readonly congested: boolean;
  /** There was no answer in time. */
  readonly timedOut: boolean;
}

/** Of one that occurs several times, all values. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** `undefined` when it was larger than `answerBytesMax`. */
  readonly body: Buffer | LargeBody | undefined;
}

const usableRequestId = /^[\x20-\x7e]{1,128}$/;
const usableErrorCode = /^[A-Z0-9_]{1,64}$/;
const noBytes = Buffer.alloc(0);

const failures = {
  timeout: {
    code: 'request_timeout',
    message: 'The upstream did not answer this request in time.',
  },
  unavailable: {
    code: 'upstream_unavailable',
    message:
      'The upstream could not be reached, or closed the connection before its answer was complete.',
  },
  invalidAnswer: {
    code: 'invalid_answer',
    message: 'The upstream answered with something other than one JSON value.',
  },
  answerTooLarge: {
    code: 'answer_too_large',
    message: `The answer of the upstream is larger than the maximum of ${answerBytesMax} bytes.`,
  },
} as const;

/** Judges a complete answer, or one that was cut because it was too large. */
export function judgeAnswer(answer: HttpAnswer): Attempt {
  const { status, headers } = answer;
  const kind = attemptKindOf(status);
  if (answer.body === undefined) {
    return attempt(kind, { failure: failures.answerTooLarge }, answer);
  }
  const success = isSuccess(status);
  const readable = isPlain(headers);
  const read =
    success && !readable ? undefined : readAnswer(status, readable ? answer.body : noBytes);
  if (read === undefined) {
    return attempt('unavailable', { failure: failures.invalidAnswer }, answer);
  }
  const upstreamRequestId = requestIdOf(headers);
  return attempt(kind, { answer: { status, upstreamRequestId, ...read } }, answer);
}

/** Judges an exchange that ended without a complete answer. */
export function judgeError(error: Error, sent: boolean): Attempt {
  const timedOut = isTimeout(error);
  return {
    kind: sent ? 'unavailable' : 'unreachable',
    outcome: { failure: failureOf(error, timedOut) },
    cause: codeOf(error),
    retryAfterMs: undefined,
    congested: sent && timedOut,
    timedOut,
  };
}

/** The exchange took longer than its upstream's `requestTimeoutMs`. */
export class RequestTimeoutError extends Error {
  override readonly name = 'RequestTimeoutError';
  readonly code = 'REQUEST_TIMEOUT';
}

function attempt(kind: AttemptKind, outcome: LineOutcome, answer: HttpAnswer): Attempt {
  const { status, headers } = answer;
  const congested = status === 429 || status === 503;
  return {
    kind,
    outcome,
    cause: status,
    // RFC 9110 gives the header a meaning for everybody with these two only.
    retryAfterMs: congested
      ? retryAfterMs([headers['retry-after']].flat()[0], Date.now())
      : undefined,
    congested,
    timedOut: false,
  };
}

/** Nothing is ever decompressed: a small body could become a very large one. */
function isPlain(headers: Headers): boolean {
  const encoding = headers['content-encoding'];
  return encoding === undefined || encoding === '' || String(encoding).toLowerCase() === 'identity';
}

function requestIdOf(headers: Headers): string | undefined {
  const id = headers['x-request-id'];
  return typeof id === 'string' && usableRequestId.test(id) ? id : undefined;
}

function failureOf(error: Error, timedOut: boolean): (typeof failures)[keyof typeof failures] {
  if (timedOut) {
    return failures.timeout;
  }
  const isNoAnswer =
    error instanceof errors.HTTPParserError || error instanceof errors.HeadersOverflowError;
  return isNoAnswer ? failures.invalidAnswer : failures.unavailable;
}

function isTimeout(error: Error): boolean {
  return (
    error instanceof RequestTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError
  );
}

function codeOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && usableErrorCode.test(code) ? code : error.name;
}
