import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { APIError, toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import type { SimulatedUpstream } from '../../scripts/simulated-upstream';
import { logSizeBytes, readLogSince } from '../../scripts/local/logs';
import type { Stack } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { setBucketQuota } from '../support/bucket-quota';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

type Server = 'temporal' | 'minio';

/** Of `useUpstreamStack`, for one model. */
const inFlightMax = 16;
/** What 16 requests at a time of two fifths of a second each come to. */
const linesPerSecond = 40;
/** Longer than any call to a server that is down should take, shorter than the workers' patience. */
const clientTimeoutMs = 25_000;

const started = useUpstreamStack({});
let stack: Stack;
let upstream: SimulatedUpstream;
let client: OpenAI;
let logStart: number;

beforeAll(() => {
  ({ stack, upstream } = started());
  client = clientOf(stack).withOptions({ maxRetries: 0, timeout: clientTimeoutMs });
});

beforeEach(() => {
  upstream.reset();
  logStart = logSizeBytes(stack.workers[0]?.logFile ?? '');
});

afterEach(() => {
  expect(stack.workers.map(({ isRunning }) => isRunning)).toEqual([true]);
});

const slowLines = (count: number): string[] => chatLines(count, (index) => `[[slow:400]] ${index}`);

async function runningBatch(lines: readonly string[]): Promise<Batch> {
  return await pollBatch(client, (await createBatch(client, lines)).id, {
    what: 'some answers',
    timeoutMs: 60_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
}

async function kill(...servers: readonly Server[]): Promise<void> {
  for (const server of servers) {
    stack.process(server).kill('SIGKILL');
  }
  await Promise.all(servers.map(async (server) => await stack.process(server).exited));
}

async function start(...servers: readonly Server[]): Promise<void> {
  await Promise.all(
    servers.map(async (server) => {
      await stack.process(server).start();
    }),
  );
}

/** The call is answered with 503 in OpenAI's form, and says when to come back. */
async function expectUnavailable(call: () => PromiseLike<unknown>): Promise<void> {
  const error: unknown = await Promise.resolve(call()).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(APIError);
  const { status, headers, type, code } = error as APIError;
  expect([status, headers?.get('retry-after'), type, code]).toEqual([
    503,
    '5',
    'server_error',
    null,
  ]);
}

async function upload(): Promise<OpenAI.FileObject> {
  const file = await toFile(Buffer.from(`${chatLines(1).join('\n')}\n`), 'requests.jsonl');
  return await client.files.create({ file, purpose: 'batch' });
}

function requestFor({ id }: OpenAI.FileObject): OpenAI.BatchCreateParams {
  return { input_file_id: id, endpoint: '/v1/chat/completions', completion_window: '24h' };
}

/** What the worker has logged since the test began. */
function workerLog(): string {
  return readLogSince(stack.workers[0]?.logFile ?? '', logStart);
}

function memoryBytesOf(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)]).toString()) * 1024;
}

it('while Temporal is down for longer than the heartbeat timeout, all but create goes on', async () => {
  const lines = slowLines(850);
  const earlier = await waitForEnd(client, (await createBatch(client, chatLines(5))).id);
  const cancelled = await runningBatch(slowLines(1_000));
  const { id } = await runningBatch(lines);

  await kill('temporal');
  const request = requestFor(await upload());
  const headers = { 'idempotency-key': 'during the outage' };
  const { request_counts: before } = await client.batches.retrieve(id);
  await Promise.all([
    // The time itself is what is tried: the engine takes the slice for dead afterwards.
    delay(11_000),
    client.batches.list(),
    client.files.content(earlier.output_file_id ?? ''),
    expectUnavailable(() => client.batches.create(request, { headers })),
    client.batches.cancel(cancelled.id).then(({ status }) => {
      expect(status).toBe('cancelling');
    }),
  ]);
  const { request_counts: after } = await client.batches.retrieve(id);
  expect(after?.completed).toBeGreaterThan(before?.completed ?? NaN);
  await start('temporal');

  const created = await client.batches.create(request, { headers, maxRetries: 5 });
  const [batch, ...others] = await Promise.all([
    waitForEnd(client, id),
    waitForEnd(client, created.id),
    waitForEnd(client, cancelled.id),
  ]);
  expect([batch, ...others].map(({ status }) => status)).toEqual([
    'completed',
    'completed',
    'cancelled',
  ]);
  expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  // In flight and not yet committed, and what the slice that was given up did until it knew.
  expect(upstream.stats().repeats).toBeLessThanOrEqual(inFlightMax + 5 * linesPerSecond);
});

it('while MinIO is down, clients hear of it soon, and slices wait without losing an answer', async () => {
  const lines = slowLines(400);
  const { id } = await runningBatch(lines);
  const [worker] = stack.workers;
  const memoryBefore = memoryBytesOf(worker?.pid ?? NaN);

  await kill('minio');
  const requestsBefore = upstream.stats().requests;
  await Promise.all(
    [
      () => client.batches.retrieve(id),
      () => client.batches.list(),
      () => client.batches.cancel(id),
      () => client.files.list(),
      () => upload(),
    ].map(expectUnavailable),
  );
  expect(await client.models.list()).toMatchObject({ object: 'list' });
  // The time itself is what is tried: requests that are sent now would have to be kept in memory.
  await delay(3_000);
  const requestsDuring = upstream.stats().requests;
  expect(requestsDuring - requestsBefore).toBeLessThanOrEqual(5 * linesPerSecond);
  await delay(2_000);
  expect(upstream.stats().requests).toBe(requestsDuring);
  expect(memoryBytesOf(worker?.pid ?? NaN) - memoryBefore).toBeLessThan(200_000_000);
  await start('minio');

  const batch = await waitForEnd(client, id);
  expect(batch.status).toBe('completed');
  expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  expect(upstream.stats().repeats).toBe(0);
});

it('while the store is full, slices wait, and clients can read but not write', async () => {
  const lines = slowLines(300);
  const input = await upload();
  const { id } = await runningBatch(lines);

  await setBucketQuota(stack.store, 1);
  const refused: readonly (() => Promise<unknown>)[] = [
    async () => await upload(),
    async () => await client.batches.create(requestFor(input)),
    async () => await client.batches.cancel(id),
  ];
  for (const call of refused) {
    const error: unknown = await call().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ status: 507, type: 'server_error', code: 'storage_full' });
  }
  await waitUntil(() => workerLog().includes('waiting for the object store'), {
    what: 'the worker to tell of it',
    timeoutMs: 30_000,
  });
  expect((await client.batches.retrieve(id)).status).toBe('in_progress');
  await setBucketQuota(stack.store, null);

  const batch = await waitForEnd(client, id);
  expect(batch.status).toBe('completed');
  expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  expect(upstream.stats().repeats).toBe(0);
});

it('batches outlive both servers', async () => {
  const lines = slowLines(400);
  const { id } = await runningBatch(lines);

  await kill('temporal', 'minio');
  await expectUnavailable(() => client.batches.retrieve(id));
  expect((await fetch(new URL('/healthz', stack.baseUrl))).status).toBe(200);
  await start('temporal', 'minio');

  const batch = await waitForEnd(client.withOptions({ maxRetries: 5 }), id);
  expect(batch.status).toBe('completed');
  expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  expect(upstream.stats().repeats).toBeLessThanOrEqual(inFlightMax + 5 * linesPerSecond);
});
