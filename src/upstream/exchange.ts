/**
 * One attempt over HTTP, and the connection that carries it. This is the hot path: one handler
 * object for each exchange, and no promise, signal or timer of its own.
 *
 * Connections are `Client`s kept in a list of our own: an undici `Pool` searches all of its clients
 * for a free one with every request.
 */
import { Client, type Dispatcher } from 'undici';
import { answerBytesMax } from '../domain/limits';
import { parsedBytesMax, readLargeBody, type LargeBody } from './answer';
import { AnswerBody } from './answer-body';
import type { ByteBudget } from './byte-budget';
import {
  judgeAnswer,
  judgeError,
  RequestTimeoutError,
  type Attempt,
  type HttpAnswer,
} from './attempt';
import { countLargeRead } from './large-reads';
import type { RouteSending } from './route';
import type { SessionLine } from './session';

/** Servers send one informational answer, if any. */
const startsMax = 32;

/** Where a connection leads. */
interface ConnectionTarget {
  readonly origin: string;
  readonly clientOptions: Client.Options;
}

/** The same for all connections of an upstream. */
export interface ConnectionOptions {
  /** Counts the bytes of answers until their exchange ends. */
  readonly budget: ByteBudget;
  /** Called once for each exchange, when its connection is free for the next. */
  onExchangeEnd(exchange: Exchange, attempt: Attempt): void;
}

/** What is sent. */
export interface ExchangeRequest {
  readonly path: string;
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body: Uint8Array;
}

/** Carries one exchange at a time. */
export interface Connection {
  readonly budget: ByteBudget;
  readonly exchange: Exchange | undefined;
  /** May be called from within {@link ConnectionOptions.onExchangeEnd} if the exchange was complete. */
  send(exchange: Exchange, request: ExchangeRequest): void;
  /** Called by the exchange. */
  end(exchange: Exchange, attempt: Attempt): void;
  /** Gives up whatever it does; its exchange ends with the error. */
  reset(error: Error): void;
  close(): Promise<void>;
}

/** Connects when it has to. */
export class HttpConnection implements Connection {
  private client: Client;
  private running: Exchange | undefined;

  constructor(
    private readonly target: ConnectionTarget,
    private readonly options: ConnectionOptions,
  ) {
    this.client = new Client(target.origin, target.clientOptions);
  }

  get budget(): ByteBudget {
    return this.options.budget;
  }

  get exchange(): Exchange | undefined {
    return this.running;
  }

  send(exchange: Exchange, request: ExchangeRequest): void {
    this.running = exchange;
    this.client.dispatch({ method: 'POST', ...request }, exchange);
  }

  end(exchange: Exchange, attempt: Attempt): void {
    this.running = undefined;
    this.options.onExchangeEnd(exchange, attempt);
  }

  reset(error: Error): void {
    const dropped = this.client;
    this.client = new Client(this.target.origin, this.target.clientOptions);
    void dropped.destroy(error);
  }

  async close(): Promise<void> {
    await this.client.destroy();
  }
}

/** What is known of an exchange when it begins. */
export interface ExchangeStart {
  readonly line: SessionLine;
  readonly connection: Connection;
  /** By the dispatcher's clock. */
  readonly startedAt: number;
  /** Position in the order of sending, counted by upstream. */
  readonly number: number;
  readonly sending: RouteSending;
}

export class Exchange implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined;
  private complete = false;
  private ended = false;
  private starts = 0;
  private status = 0;
  private headers: HttpAnswer['headers'] = {};
  private readonly body = new AnswerBody();

  constructor(readonly start: ExchangeStart) {}

  /** Whether a complete answer was received, so that its connection can go on at once. */
  get isComplete(): boolean {
    return this.complete;
  }

  /** Ends the exchange by closing its connection. */
  timeOut(): void {
    this.cut(new RequestTimeoutError());
  }

  /** The same when nobody wants its outcome any more. */
  abandon(): void {
    this.cut(new Error('The exchange was abandoned.'));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
  }

  /** Also called for each informational answer, before the one that counts. */
  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: HttpAnswer['headers'],
  ): void {
    this.starts += 1;
    if (this.starts > startsMax) {
      controller.abort(new Error('Informational answers do not end.'));
    }
    this.status = status;
    this.headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.ended) {
      return;
    }
    const { body } = this;
    body.add(chunk);
    this.start.connection.budget.add(chunk.length);
    if (body.bytes > answerBytesMax) {
      controller.abort(new Error('The answer is too large.'));
    } else if (body.isLarge) {
      countLargeRead(controller, chunk.length);
    }
  }

  onResponseEnd(): void {
    const { body } = this;
    this.complete = true;
    if (body.bytes <= parsedBytesMax) {
      this.judge(body.whole());
    } else {
      readLargeBody(body.pieces(), (read) => {
        this.judge(read);
      });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    const { status, headers } = this;
    this.end(
      this.body.bytes > answerBytesMax
        ? judgeAnswer({ status, headers, body: undefined })
        : judgeError(error, this.controller !== undefined),
    );
  }

  private judge(body: Buffer | LargeBody): void {
    const { status, headers } = this;
    this.end(judgeAnswer({ status, headers, body }));
  }

  private cut(error: Error): void {
    if (this.controller === undefined) {
      // Not on a socket yet, so there is nothing that could be aborted but the connecting itself.
      this.start.connection.reset(error);
    } else {
      this.controller.abort(error);
    }
  }

  private end(attempt: Attempt): void {
    if (!this.ended) {
      this.ended = true;
      this.start.connection.budget.remove(this.body.bytes);
      this.start.connection.end(this, attempt);
    }
  }
}
