/** The API in this process, on a free port, over the in-memory store and a fake engine. */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request as httpRequest } from 'node:http';
import OpenAI from 'openai';
import { createApiApp } from '../../../src/api/app';
import { sharedLiveProgress } from '../../../src/api/batches/live-progress';
import type { ApiSettings } from '../../../src/api/dependencies';
import type { ErrorBody } from '../../../src/api/http/api-error';
import { defaultEndpoints, type Endpoint } from '../../../src/domain/endpoints';
import type { ProjectLimits } from '../../../src/domain/project';
import type { BatchId } from '../../../src/domain/ids';
import type { BatchWorkflowInput } from '../../../src/domain/workflow-contract';
import { createLogger } from '../../../src/observability/logger';
import { Agenda } from '../../../src/storage/agenda';
import { BatchStore } from '../../../src/storage/batch-store';
import { CreatedBatches } from '../../../src/storage/created-batches';
import { FileStore } from '../../../src/storage/file-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import type { ObjectStore } from '../../../src/storage/object-store';
import { ProjectStore } from '../../../src/storage/project-store';
import { UploadStore } from '../../../src/storage/upload-store';
import { assertDescribed } from '../../support/described-answers';
import { EngineUnavailable, type BatchRunner } from '../../../src/temporal/batch-runner';

export const apiKey = 'sk-test-0123456789abcdef';

/** Small enough that a test reaches them. */
export const testLimits: ProjectLimits = {
  fileBytesMax: 1_048_576,
  batchLinesMax: 1_000,
  embeddingInputsMax: null,
  filesMax: 500,
  openBatchesMax: 500,
  runningBatchesMax: null,
  queuedLinesMax: null,
};

/** Remembers what it was asked; refuses everything while it is down. */
class FakeBatchRunner implements BatchRunner {
  readonly started: BatchWorkflowInput[] = [];
  readonly cancelled: BatchId[] = [];
  down = false;
  /** It does what it is asked, and its answers do not arrive. */
  isMute = false;

  /** The batches that were started, each once. */
  get batchIds(): BatchId[] {
    return [...new Set(this.started.map(({ batch }) => batch.id))];
  }

  async start(input: BatchWorkflowInput): Promise<void> {
    await this.answer(() => {
      this.started.push(input);
    });
  }

  async signalCancel(batchId: BatchId): Promise<void> {
    await this.answer(() => {
      this.cancelled.push(batchId);
    });
  }

  private async answer(work: () => void): Promise<void> {
    await Promise.resolve();
    if (!this.down) {
      work();
    }
    if (this.down || this.isMute) {
      throw new EngineUnavailable('the engine is down');
    }
  }
}

export interface ApiUnderTest {
  readonly url: string;
  readonly client: OpenAI;
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly batches: BatchStore;
  readonly projects: ProjectStore;
  readonly runner: FakeBatchRunner;
  /** Unix milliseconds; tests move it. */
  readonly clock: { nowMs: number };
  /** At once, unless a grace period is given. */
  close(graceMs?: number): Promise<void>;
}

interface Options {
  readonly store?: ObjectStore;
  readonly settings?: Partial<ApiSettings>;
  readonly endpoints?: readonly Endpoint[];
  /** Any free one by default. */
  readonly port?: number;
}

export async function startApi(options: Options = {}): Promise<ApiUnderTest> {
  const store = options.store ?? new MemoryObjectStore();
  const files = new FileStore(store);
  const uploads = new UploadStore(store);
  const batches = new BatchStore(store);
  const agenda = new Agenda(store);
  const projects = new ProjectStore(store);
  const runner = new FakeBatchRunner();
  const clock = { nowMs: Date.UTC(2026, 0, 1) };
  const app = await createApiApp({
    files,
    uploads,
    batches,
    readLiveProgress: sharedLiveProgress(batches, () => clock.nowMs),
    createdBatches: new CreatedBatches(store, agenda),
    projects,
    agenda,
    runner,
    models: ['small', 'meta-llama/Llama-3.1-8B', 'ft:small:acme::1'],
    endpoints: options.endpoints ?? defaultEndpoints,
    taskQueuePrefix: 'test',
    settings: {
      key: apiKey,
      isOpen: false,
      completionWindows: ['24h', '7d'],
      pathPrefixes: [],
      webhookAllowedNetworks: [],
      unknownInputFile: 'fail_batch',
      resultForm: 'openai',
      idleTimeoutMs: 60_000,
      limits: testLimits,
      ...options.settings,
    },
    logger: createLogger('api', 'silent'),
    // Ids made in one millisecond would be listed in no particular order.
    clock: () => (clock.nowMs += 1),
    randomHex: () => randomBytes(10).toString('hex'),
  });
  const url = await app.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const client = new OpenAI({
    apiKey,
    baseURL: `${url}/v1`,
    maxRetries: 0,
    fetch: fetchDescribed,
  });
  return {
    url,
    client,
    files,
    uploads,
    batches,
    projects,
    runner,
    clock,
    close: async (graceMs = 0) => {
      await app.close(graceMs);
    },
  };
}

/** The platform's `fetch`, with a check of the answer's form. */
async function fetchDescribed(
  input: string | URL | Request,
  init?: RequestInit,
): Promise<Response> {
  const response = await fetch(input, init);
  const { headers, status } = response;
  const isJson = headers.get('content-type')?.startsWith('application/json') === true;
  assertDescribed({
    method: init?.method ?? 'GET',
    path: new URL(input instanceof Request ? input.url : input).pathname,
    status,
    header: (name) => headers.get(name) ?? undefined,
    text: isJson ? await response.clone().text() : undefined,
  });
  return response;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The parsed body; fails the test when it is not JSON. */
  json(): unknown;
}

interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer | readonly Buffer[];
}

/** Sends exactly this, with the key unless other headers say otherwise; checks the answer's form. */
export async function send(url: string, options: RawRequest): Promise<Answer> {
  const answer = await exchange(url, options);
  const { status, headers, text } = answer;
  const { method = 'GET', path } = options;
  assertDescribed({ method, path, status, header: (name) => headers[name]?.toString(), text });
  return answer;
}

async function exchange(url: string, options: RawRequest): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return await new Promise<Answer>((resolve, reject) => {
    const request = httpRequest({
      hostname,
      port,
      path: options.path,
      method: options.method ?? 'GET',
      headers: { authorization: `Bearer ${apiKey}`, ...options.headers },
      agent: new Agent({ keepAlive: false }),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: () => JSON.parse(text) as unknown,
        });
      });
    });
    const body = options.body ?? [];
    for (const chunk of Array.isArray(body) ? (body as Buffer[]) : [body as string | Buffer]) {
      request.write(chunk);
    }
    request.end();
  });
}

/** A list without entries, as it is answered. */
export const emptyList = {
  object: 'list',
  data: [],
  first_id: null,
  last_id: null,
  has_more: false,
};

/** The envelope of an error answer, after checking what is promised of every error. */
export function errorOf(answer: Answer): ErrorBody['error'] {
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(answer.headers['x-request-id']).toMatch(/^req_[0-9a-f]{32}$/);
  expect(answer.text).not.toMatch(/node_modules|\bat .*:\d+:\d+|<html/i);
  const body = answer.json() as ErrorBody;
  expect(Object.keys(body)).toEqual(['error']);
  expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type']);
  return body.error;
}
