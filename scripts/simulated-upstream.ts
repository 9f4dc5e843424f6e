/**
 * A simulated inference server that speaks OpenAI's HTTP API, for the demo and for tests. It answers
 * with plausible text after a plausible time, refuses what is above its slots with 429, misbehaves
 * when a request's text asks for it (`simulator/faults.ts`), and counts what it was sent:
 *
 *     GET  /_stats      {@link UpstreamStats}
 *     POST /_control    a JSON object of {@link UpstreamControl}, and `"reset": true` to count anew
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { answerText, sha256Of, type AnswerRequest } from './simulator/answer-text';
import { answeredEndpoints, type AnsweredEndpoint, type RequestBody } from './simulator/answers';
import { pourBody, pourHeaders, trickle } from './simulator/endless';
import { faultsIn, type Fault, type FaultKind } from './simulator/faults';
import { Journal } from './simulator/journal';
import { logNormal, randomFrom } from './simulator/random';

export interface UpstreamControl {
  /** Median of the time that an answer takes; single ones vary. */
  readonly latencyMs: number;
  /** Requests at a time; more are refused with 429 and `Retry-After: 1`. */
  readonly slotsMax: number;
  /** Cuts every connection, those in use included; only `/_stats` and `/_control` are answered. */
  readonly isDown: boolean;
  /** Refuses every request with 429 and `Retry-After: 1`. */
  readonly isRateLimited: boolean;
}

export interface SimulatedUpstreamOptions extends Partial<UpstreamControl> {
  readonly models: readonly string[];
  /** A free one when absent. */
  readonly port?: number;
  /** Requests without it are answered with 401; every request is welcome when absent. */
  readonly apiKey?: string;
  /** A file that gets a line of each request and answer, as `simulator/journal.ts` says. */
  readonly journalFile?: string;
}

export interface UpstreamStats {
  /** Inference requests received, refused ones included. */
  readonly requests: number;
  /** Requests cut because the upstream is down. */
  readonly cuts: number;
  /** How often a request was sent, by its `X-Request-Id`. */
  readonly requestsById: Readonly<Record<string, number>>;
  /** How often a request was answered in full with 200, by its `X-Request-Id`. */
  readonly answersById: Readonly<Record<string, number>>;
  /** Requests sent again: those received above the first of each `X-Request-Id`. */
  readonly repeats: number;
  readonly inFlight: number;
  readonly inFlightMax: number;
}

export interface SimulatedUpstream {
  /** Ends in `/v1`. */
  readonly baseUrl: string;
  stats(): UpstreamStats;
  control(change: Partial<UpstreamControl>): void;
  /** Starts to count anew. */
  reset(): void;
  close(): Promise<void>;
}

const defaults: UpstreamControl = {
  latencyMs: 20,
  slotsMax: 256,
  isDown: false,
  isRateLimited: false,
};
const latencySigma = 0.4;
const requestBytesMax = 64 * 1024 * 1024;

export async function startSimulatedUpstream(
  options: SimulatedUpstreamOptions,
): Promise<SimulatedUpstream> {
  const upstream = new Upstream(options);
  await upstream.listen(options.port ?? 0);
  return upstream;
}

interface Call extends AnswerRequest {
  readonly id: string | undefined;
  /** SHA-256 of the body; absent where nothing is written down. */
  readonly hash: string | undefined;
}

class Upstream implements SimulatedUpstream {
  private readonly server: Server;
  private settings: UpstreamControl;
  private requests = 0;
  private cuts = 0;
  private inFlight = 0;
  private inFlightMax = 0;
  private readonly requestsById = new Map<string, number>();
  private readonly answersById = new Map<string, number>();
  /** Attempts so far at requests with faults, by id or else by text. */
  private readonly attempts = new Map<string, number>();
  private readonly journal: Journal | undefined;

  constructor(private readonly options: SimulatedUpstreamOptions) {
    this.settings = { ...defaults, ...options };
    const { journalFile } = options;
    this.journal = journalFile === undefined ? undefined : new Journal(journalFile);
    this.server = createServer((request, response) => {
      this.handle(request, response).catch(() => response.destroy());
    });
    this.server.requestTimeout = 0;
    this.server.keepAliveTimeout = 60_000;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
  }

  stats(): UpstreamStats {
    const received = [...this.requestsById.values()].reduce((sum, count) => sum + count, 0);
    return {
      requests: this.requests,
      cuts: this.cuts,
      requestsById: Object.fromEntries(this.requestsById),
      answersById: Object.fromEntries(this.answersById),
      repeats: received - this.requestsById.size,
      inFlight: this.inFlight,
      inFlightMax: this.inFlightMax,
    };
  }

  control(change: Partial<UpstreamControl>): void {
    this.settings = { ...this.settings, ...change };
    if (this.settings.isDown) {
      this.server.closeAllConnections();
    }
  }

  reset(): void {
    this.requests = 0;
    this.cuts = 0;
    this.inFlightMax = this.inFlight;
    for (const counts of [this.requestsById, this.answersById, this.attempts]) {
      counts.clear();
    }
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
      this.server.closeAllConnections();
    });
    this.journal?.close();
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    if (path === '/_stats') {
      sendJson(response, 200, this.stats());
    } else if (path === '/_control') {
      await this.handleControl(request, response);
    } else if (this.settings.isDown) {
      this.cuts += 1;
      request.socket.destroy();
    } else if (!this.isAuthorized(request)) {
      sendError(response, 401, 'Incorrect API key provided.');
    } else if (path === '/v1/models') {
      sendJson(response, 200, modelList(this.options.models));
    } else {
      const endpoint = answeredEndpoints.find((known) => known === path);
      if (endpoint === undefined || request.method !== 'POST') {
        sendError(response, 404, `Unknown request: ${String(request.method)} ${path}`);
      } else {
        await this.handleInference(endpoint, request, response);
      }
    }
  }

  private async handleControl(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { reset, ...change } = parseObject(await readBody(request)) ?? {};
    if (reset === true) {
      this.reset();
    }
    sendJson(response, 200, {});
    this.control(change);
  }

  private isAuthorized(request: IncomingMessage): boolean {
    const { apiKey } = this.options;
    return apiKey === undefined || request.headers.authorization === `Bearer ${apiKey}`;
  }

  private async handleInference(
    endpoint: AnsweredEndpoint,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    this.requests += 1;
    const id = request.headers['x-request-id']?.toString();
    increment(this.requestsById, id);
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    response.once('close', () => {
      this.inFlight -= 1;
    });
    const bytes = await readBody(request);
    const body = parseObject(bytes);
    const hash = this.journal === undefined ? undefined : sha256Of(bytes);
    if (hash !== undefined) {
      this.journal?.request(hash);
    }
    if (this.settings.isRateLimited || this.inFlight > this.settings.slotsMax) {
      sendError(response, 429, 'Too many requests at a time.', { 'retry-after': '1' });
    } else if (body === undefined) {
      sendError(response, 400, 'The body is not a JSON object.');
    } else if (!this.options.models.includes(String(body['model']))) {
      sendError(response, 404, `The model ${String(body['model'])} does not exist.`);
    } else {
      const faults = this.faultsOf(bytes, id);
      await this.answer({ endpoint, id, body, bytes, faults, hash }, response);
    }
  }

  /** Those of the request's faults that happen on this attempt. */
  private faultsOf(bytes: Buffer, id: string | undefined): ReadonlyMap<FaultKind, Fault> {
    const text = bytes.toString('utf8');
    const faults = faultsIn(text);
    const attempt = faults.length === 0 ? 1 : increment(this.attempts, id ?? text);
    return new Map(
      faults.filter(({ times }) => attempt <= times).map((fault) => [fault.kind, fault]),
    );
  }

  private async answer(call: Call, response: ServerResponse): Promise<void> {
    const { faults, bytes } = call;
    const latencyMs = logNormal(randomFrom(bytes), this.settings.latencyMs, latencySigma);
    await delay(latencyMs + (faults.get('slow')?.value ?? 0));
    if (faults.has('hang') || response.destroyed) {
      return;
    }
    if (faults.has('reset')) {
      response.destroy();
      return;
    }
    const status = faults.get('fail')?.value;
    if (status !== undefined) {
      const retryAfter = faults.get('retry-after')?.value;
      const headers = retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) };
      sendError(response, status, 'The request asked for this failure.', headers);
      this.noteAnswer(call, response, status);
      return;
    }
    if (!answerWithoutEnd(faults, response)) {
      this.sendAnswer(call, response);
    }
  }

  private sendAnswer(call: Call, response: ServerResponse): void {
    const { faults } = call;
    const text = answerText(call);
    const length = Buffer.byteLength(text);
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': length,
      'x-request-id': call.id ?? 'none',
    });
    if (faults.has('close')) {
      response.write(text.slice(0, text.length / 2), () => response.destroy());
      return;
    }
    response.end(text);
    response.once('finish', () => {
      increment(this.answersById, call.id);
    });
    this.noteAnswer(call, response, faults.has('garbage') ? 0 : 200);
  }

  private noteAnswer({ hash }: Call, response: ServerResponse, status: number): void {
    if (hash !== undefined) {
      response.once('finish', () => {
        this.journal?.answer(hash, status);
      });
    }
  }
}

/** @returns whether one of the faults is an answer without end. */
function answerWithoutEnd(
  faults: ReadonlyMap<FaultKind, Fault>,
  response: ServerResponse,
): boolean {
  if (faults.has('trickle')) {
    trickle(response);
  } else if (faults.has('endless')) {
    pourBody(response);
  } else if (faults.has('headers') && response.socket !== null) {
    pourHeaders(response.socket);
  } else {
    return false;
  }
  return true;
}

function modelList(models: readonly string[]): unknown {
  const data = models.map((id) => ({ id, object: 'model', created: 0, owned_by: 'longhaul' }));
  return { object: 'list', data };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > requestBytesMax) {
      throw new RangeError(`The request is larger than ${requestBytesMax} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseObject(bytes: Buffer): RequestBody | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as RequestBody) : undefined;
  } catch {
    return undefined;
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

function sendError(
  response: ServerResponse,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  const error = { message, type: status < 500 ? 'invalid_request_error' : 'server_error' };
  response.end(JSON.stringify({ error: { ...error, param: null, code: null } }));
}

/** @returns the new count; an absent key is not counted. */
function increment(counts: Map<string, number>, key: string | undefined): number {
  if (key === undefined) {
    return 0;
  }
  const count = (counts.get(key) ?? 0) + 1;
  counts.set(key, count);
  return count;
}
