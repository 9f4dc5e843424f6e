import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import { defaultEndpoints } from '../../../src/domain/endpoints';
import type { ModelRoute, UpstreamConfig } from '../../../src/config/upstreams';
import type { LineAttempts } from '../../../src/domain/retry';
import {
  defaultProjectId,
  makeBatchId,
  makeRequestId,
  type BatchId,
} from '../../../src/domain/ids';
import { ByteBudget } from '../../../src/upstream/byte-budget';
import type { Clock } from '../../../src/upstream/clock';
import type {
  Dispatcher,
  DispatchSession,
  LineOutcome,
  LineRequest,
} from '../../../src/upstream/dispatcher';
import {
  createHttpDispatcher,
  type HttpDispatcherOptions,
} from '../../../src/upstream/http-dispatcher';
import { httpTransport } from '../../../src/upstream/transport';

export interface Received {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** As sent by {@link lineRequest}. */
  readonly ordinal: number;
  /** 0 for the first request with this ordinal. */
  readonly earlier: number;
}

export type CheckScript = (response: ServerResponse) => void;
export type Script = (received: Received, response: ServerResponse) => void;

/** An upstream that does what the test says, over real sockets, and remembers what it was asked. */
export class ScriptedUpstream {
  readonly received: Received[] = [];
  /** What health checks asked for; not among the others. */
  readonly checks: Pick<Received, 'path' | 'headers'>[] = [];
  readonly sockets = new Set<Socket>();
  /** All by which lines ever came: health checks and metrics have connections of their own. */
  readonly lineSockets = new Set<Socket>();
  inFlightMost = 0;
  private inFlight = 0;
  private readonly waiters: { count: number; resolve: () => void }[] = [];
  private readonly server: Server;
  private checkScript: CheckScript = (response) => {
    answer(response, '{"object":"list","data":[]}');
  };

  private metricsScript: CheckScript = (response) => {
    response.writeHead(404).end();
  };

  private constructor(private script: Script) {
    this.server = createServer((request, response) => {
      void this.serve(request, response);
    });
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => undefined);
    });
  }

  static async start(script: Script, port = 0): Promise<ScriptedUpstream> {
    const upstream = new ScriptedUpstream(script);
    upstream.server.listen(port, '127.0.0.1');
    await once(upstream.server, 'listening');
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  use(script: Script): void {
    this.script = script;
  }

  /** For health checks, which are answered unless said otherwise. */
  useForChecks(script: CheckScript): void {
    this.checkScript = script;
  }

  /** For the engine's metrics; there are none unless said otherwise. */
  useForMetrics(script: CheckScript): void {
    this.metricsScript = script;
  }

  ordinals(): number[] {
    return this.received.map(({ ordinal }) => ordinal);
  }

  /** Resolves when so many requests have been received. */
  async hasReceived(count: number): Promise<void> {
    if (this.received.length < count) {
      await new Promise<void>((resolve) => this.waiters.push({ count, resolve }));
    }
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/metrics') {
      this.metricsScript(response);
      return;
    }
    if (request.method === 'GET') {
      this.checks.push({ path: request.url ?? '', headers: request.headers });
      this.checkScript(response);
      return;
    }
    this.lineSockets.add(request.socket);
    this.inFlight += 1;
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight);
    response.once('close', () => {
      this.inFlight -= 1;
    });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) {
        chunks.push(chunk as Buffer);
      }
    } catch {
      return;
    }
    const body = Buffer.concat(chunks).toString();
    const ordinal = Number(/"ordinal":(\d+)/.exec(body)?.[1]);
    const earlier = this.received.filter((other) => other.ordinal === ordinal).length;
    const received = { path: request.url ?? '', headers: request.headers, body, ordinal, earlier };
    this.received.push(received);
    this.script(received, response);
    for (const { count, resolve } of this.waiters) {
      if (this.received.length >= count) {
        resolve();
      }
    }
  }
}

export const completion =
  '{"id":"chatcmpl-1","usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}';

export function answer(response: ServerResponse, body = completion): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(body);
}

export function refuse(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, headers).end(`{"error":{"message":"status ${status}"}}`);
}

/** Runs `scale` times as fast as real time; keeps in `timers` those that are to fire. */
function scaledClock(scale: number, timers: Set<NodeJS.Timeout>): Clock {
  return {
    now: () => performance.now() * scale,
    after: (delayMs, callback) => {
      const timer = setTimeout(() => {
        timers.delete(timer);
        callback();
      }, delayMs / scale);
      timers.add(timer);
      return () => {
        timers.delete(timer);
        clearTimeout(timer);
      };
    },
  };
}

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [key: string]: unknown;
}

/** A dispatcher on a fast clock, what it logged, and its timers. */
function fastDispatcher(options: Pick<HttpDispatcherOptions, 'budget' | 'outagePatienceMs'>): {
  dispatcher: Dispatcher;
  logs: LogLine[];
  timers: ReadonlySet<NodeJS.Timeout>;
} {
  const logs: LogLine[] = [];
  const timers = new Set<NodeJS.Timeout>();
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      logs.push(JSON.parse(chunk.toString()) as LogLine);
      done();
    },
  });
  const dispatcher = createHttpDispatcher({
    logger: pino({ level: 'debug' }, sink),
    clock: scaledClock(1_000, timers),
    // Five seconds remain five: a busy machine is not taken for a server that is down.
    transportTo: (upstream) => httpTransport(upstream, scaledClock(1, timers)),
    ...options,
  });
  return { dispatcher, logs, timers };
}

export interface UpstreamOverrides {
  readonly name?: string;
  readonly apiKey?: string | undefined;
  readonly maxInFlight?: number;
  readonly requestTimeoutMs?: number;
  readonly basePath?: string;
  readonly weight?: number;
}

export function anUpstream(port: number, overrides: UpstreamOverrides = {}): UpstreamConfig {
  const { basePath = '/v1', ...more } = overrides;
  return {
    name: 'gpu-1',
    baseUrl: `http://127.0.0.1:${port}${basePath}`,
    apiKey: undefined,
    maxInFlight: 8,
    // On the fast clock ten seconds: a busy machine is not taken for a silent upstream.
    requestTimeoutMs: 10_000_000,
    weight: 1,
    ...more,
  };
}

/** An upstream, and what it calls the model. */
interface RouteOverrides extends UpstreamOverrides {
  readonly model?: string;
  readonly upstreamModel?: string;
}

export function aRoute(port: number, overrides: RouteOverrides = {}): ModelRoute {
  const { model = 'small', upstreamModel = model, ...upstream } = overrides;
  const endpoints = new Set(defaultEndpoints);
  return {
    model,
    upstreams: [{ upstream: anUpstream(port, upstream), upstreamModel, endpoints }],
    endpoints,
  };
}

/** One model at all of these routes' upstreams. */
export function severalUpstreams(first: ModelRoute, ...others: readonly ModelRoute[]): ModelRoute {
  return {
    ...first,
    upstreams: [...first.upstreams, ...others.flatMap(({ upstreams }) => upstreams)],
  };
}

export const batchA = makeBatchId(1_000, 'a'.repeat(20));
export const batchB = makeBatchId(2_000, 'b'.repeat(20));

export function lineRequest(ordinal: number, batchId: BatchId = batchA): LineRequest {
  const body = Buffer.from(`{"model":"small","ordinal":${ordinal}}`);
  return { ordinal, requestId: makeRequestId(batchId, ordinal), body };
}

/** A session whose outcomes are kept. */
export class RecordingSession {
  readonly outcomes = new Map<number, LineOutcome>();
  readonly givenUp = new Map<number, LineAttempts>();
  readonly session: DispatchSession;
  private waiters: (() => void)[] = [];

  constructor(
    dispatcher: Dispatcher,
    route: ModelRoute,
    private readonly batchId: BatchId = batchA,
  ) {
    this.session = dispatcher.open({
      projectId: defaultProjectId,
      batchId,
      route,
      endpoint: '/v1/chat/completions',
      onOutcome: (request, outcome) => {
        if (this.outcomes.has(request.ordinal)) {
          throw new Error(`Line ${request.ordinal} has two outcomes.`);
        }
        this.outcomes.set(request.ordinal, outcome);
        this.waiters.forEach((wake) => {
          wake();
        });
        this.waiters = [];
      },
      onGivenUp: ({ ordinal }, attempts) => {
        this.givenUp.set(ordinal, attempts);
      },
    });
  }

  submit(...ordinals: readonly number[]): void {
    for (const ordinal of ordinals) {
      this.session.submit(lineRequest(ordinal, this.batchId));
    }
  }

  /** Submits lines `from` to `to`, not including `to`, as there is room for them. */
  async submitAll(from: number, to: number): Promise<void> {
    for (let ordinal = from; ordinal < to; ordinal++) {
      if (!this.session.hasRoom()) {
        await this.session.waitForRoom();
      }
      this.submit(ordinal);
    }
  }

  /** Resolves when so many lines have their outcome. */
  async hasOutcomes(count: number): Promise<void> {
    while (this.outcomes.size < count) {
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  statuses(): (number | undefined)[] {
    return Array.from(this.outcomes.values(), ({ answer: { status } = {} }) => status);
  }

  failureCodes(): (string | undefined)[] {
    return Array.from(this.outcomes.values(), ({ failure }) => failure?.code);
  }
}

/** Answers once the test says so. */
export function heldBack(): { script: Script; release: () => void } {
  const held: (() => void)[] = [];
  return {
    script: (_received, response) => {
      held.push(() => {
        answer(response);
      });
    },
    release: () => {
      for (const reply of held.splice(0)) {
        reply();
      }
    },
  };
}

/** `from` to `to`, not including `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_value, at) => from + at);
}

/** An upstream and a dispatcher, anew for each test; by default the upstream answers everything. */
export class Harness {
  upstream!: ScriptedUpstream;
  dispatcher!: Dispatcher;
  logs!: LogLine[];
  timers!: ReadonlySet<NodeJS.Timeout>;
  budget!: ByteBudget;

  /** Without patience failures count at once; other tests say how much there is. */
  constructor(readonly outagePatienceMs = 0) {
    beforeEach(async () => {
      this.upstream = await ScriptedUpstream.start(answerAll);
      this.budget = new ByteBudget(Infinity);
      ({
        dispatcher: this.dispatcher,
        logs: this.logs,
        timers: this.timers,
      } = fastDispatcher(this));
    });
    afterEach(async () => {
      await this.dispatcher.close();
      await this.upstream.close();
      expect(this.budget.bytesHeld).toBe(0);
    });
  }

  /** Resolves when so many lines have been logged. */
  async hasLogged(count: number): Promise<void> {
    while (this.logs.length < count) {
      await new Promise(setImmediate);
    }
  }

  open(overrides: RouteOverrides = {}, batchId = batchA): RecordingSession {
    return new RecordingSession(this.dispatcher, aRoute(this.upstream.port, overrides), batchId);
  }
}

export const answerAll: Script = (_received, response) => {
  answer(response);
};
