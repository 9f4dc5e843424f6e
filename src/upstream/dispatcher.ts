/** The port through which slices talk to inference servers. */
import type { ModelRoute } from '../config/upstreams';
import type { Endpoint } from '../domain/endpoints';
import type { BatchId, ProjectId, RequestId } from '../domain/ids';
import type { LineFailure } from '../domain/outcome';
import type { LineAttempts } from '../domain/retry';
import type { Usage } from '../domain/usage';

/** One request line on its way; `ordinal` comes back with its outcome. */
export interface LineRequest {
  readonly ordinal: number;
  readonly requestId: RequestId;
  /** Goes upstream byte for byte, but for the model where that has another name there. */
  readonly body: Uint8Array;
  /** What an earlier session was told when it gave the line up. */
  readonly earlierAttempts?: LineAttempts | undefined;
}

/** The upstream's last word on a line. `body` is one JSON value without raw line breaks, in pieces. */
export interface LineAnswer {
  readonly status: number;
  /** The upstream's own id of the request, if it sent a usable one. */
  readonly upstreamRequestId: string | undefined;
  readonly body: readonly Uint8Array[];
  readonly usage: Usage;
}

/** Either the upstream answered, or the line failed for good without an answer. */
export type LineOutcome =
  | { readonly answer: LineAnswer; readonly failure?: undefined }
  | { readonly failure: LineFailure; readonly answer?: undefined };

export interface SessionOptions {
  readonly projectId: ProjectId;
  readonly batchId: BatchId;
  readonly route: ModelRoute;
  readonly endpoint: Endpoint;
  /** Called once for each submitted line, unless the line is given up; must not throw. */
  onOutcome(request: LineRequest, outcome: LineOutcome): void;
  /** Called for each line that is given up after failed attempts; must not throw. */
  onGivenUp(request: LineRequest, attempts: LineAttempts): void;
}

/**
 * The lines of one slice. A line that was submitted waits for its turn, is in flight, or waits for
 * its next attempt, until it has an outcome or is given up.
 */
export interface DispatchSession {
  /** Lines without an outcome. */
  readonly outstanding: number;
  /** Lines that have had an outcome, of all sessions whose lines go where those of this one go. */
  readonly routeOutcomes: number;
  /** Whether another line may be submitted; a session without lines always has room. */
  hasRoom(): boolean;
  /** Resolves when there is room, or when the session was drained or aborted. */
  waitForRoom(): Promise<void>;
  submit(request: LineRequest): void;
  /**
   * Sends no line any more. Resolves when those in flight have ended, and it is known what their
   * failures have come from; then all that have no outcome are given up.
   */
  drain(): Promise<void>;
  /** Gives up every line, in flight or not, at once; a pending {@link drain} resolves. */
  abort(): void;
}

/** One per process: all its slices share the upstreams' limits, pauses and circuit breakers. */
export interface Dispatcher {
  open(options: SessionOptions): DispatchSession;
  /** Closes idle connections; sessions must have ended. */
  close(): Promise<void>;
}
