/** How long a look at a running batch takes, however large the batch is. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { OpenAI } from 'openai';
import type { Batch } from 'openai/resources';
import { Client } from 'undici';
import { say } from '../../scripts/cli/run-program';
import type { Stack } from '../../scripts/local/stack';
import { inBenchFolder, inBenchStack, serverPidsOf, workerPidsOf } from '../bench-stack';
import { parseNumbers } from '../parse-numbers';
import { rounded, startCpuClock } from '../process-stats';
import { everyBar, type Findings } from '../report';
import { endlessLines, writeInputFile } from '../request-lines';
import { median, quantile } from '../statistics';
import { uploadFile, type UploadContent } from '../upload-file';

export const apiLatencyHelp = `api-latency: GET /v1/batches/{id} for a large running batch, over that for a small one
  --lines N               requests of the large batch (1000000)
  --small-lines N         requests of the small one (100)
  --polls N               looks at each (300)
  --latency-ms N          of the simulated upstream, which is asked all the time (200)`;

const defaults = { lines: 1_000_000, 'small-lines': 100, polls: 300, 'latency-ms': 200 };

const medianMsMax = 20;
const ratioMax = 5;
/** Between two looks at the same batch: its counts are meant to move meanwhile. */
const pauseMs = 50;
const statusPollMs = 200;

interface Samples {
  readonly milliseconds: number[];
  readonly completedCounts: Set<number>;
}

export async function runApiLatency(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const simulatorEnv = { LONGHAUL_SIMULATOR_LATENCY_MS: String(parameters['latency-ms']) };
  return await inBenchFolder(async (folder) => {
    const options = { folder, upstream: 'simulated', simulatorEnv } as const;
    return await inBenchStack(options, abort, async (stack) => {
      const path = join(folder, 'input.jsonl');
      const bytes = await writeInputFile(path, { lines: parameters.lines });
      const large = await startBatch(
        stack,
        { bytes, chunks: createReadStream(path) },
        abort.signal,
      );
      const lines = Buffer.from(endlessLines(parameters['small-lines']));
      const content = { bytes: lines.length, chunks: Readable.from([lines]) };
      const small = await startBatch(stack, content, abort.signal);
      const stopCpuClock = startCpuClock(pidsOf(stack));
      const startedAt = performance.now();
      const samples = await pollBoth(stack, { large, small, polls: parameters.polls });
      const seconds = (performance.now() - startedAt) / 1000;
      return findingsOf(samples, {
        parameters: { ...parameters, pause_ms: pauseMs, connections: 1 },
        service: { seconds: rounded(seconds), cpu_seconds: stopCpuClock() },
      });
    });
  });
}

/** Resolves to its id when it runs and has counts of finished requests. */
async function startBatch(
  stack: Stack,
  content: UploadContent,
  signal: AbortSignal,
): Promise<string> {
  const file = await uploadFile(stack, content, signal);
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  say(`Starting a batch of ${content.bytes} bytes …`);
  let batch = await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  });
  while (!isRunning(batch)) {
    if (!['validating', 'in_progress'].includes(batch.status)) {
      throw new Error(`A batch does not run: it is ${batch.status}.`);
    }
    await delay(statusPollMs, undefined, { signal });
    batch = await client.batches.retrieve(batch.id);
  }
  return batch.id;
}

function isRunning({ status, request_counts: counts }: Batch): boolean {
  return status === 'in_progress' && counts !== undefined && counts.completed > 0;
}

/** Looks at the batches in turn, over one connection. */
async function pollBoth(
  stack: Stack,
  {
    large,
    small,
    polls,
  }: { readonly large: string; readonly small: string; readonly polls: number },
): Promise<Record<'large' | 'small', Samples>> {
  say(`Looking at each ${polls} times …`);
  const connection = new Client(new URL(stack.baseUrl).origin, { pipelining: 1 });
  const samples = { large: noSamples(), small: noSamples() };
  try {
    // The first look of all pays for the connection.
    await poll(connection, stack, { id: large, into: noSamples() });
    for (let index = 0; index < polls; index += 1) {
      await poll(connection, stack, { id: large, into: samples.large });
      await poll(connection, stack, { id: small, into: samples.small });
      await delay(pauseMs);
    }
  } finally {
    await connection.close();
  }
  return samples;
}

async function poll(
  connection: Client,
  stack: Stack,
  { id, into }: { readonly id: string; readonly into: Samples },
): Promise<void> {
  const startedAt = performance.now();
  const response = await connection.request({
    method: 'GET',
    path: `${new URL(stack.baseUrl).pathname}/batches/${id}`,
    headers: { authorization: `Bearer ${stack.apiKey}` },
  });
  const text = await response.body.text();
  into.milliseconds.push(performance.now() - startedAt);
  const batch = JSON.parse(text) as Batch;
  if (response.statusCode !== 200 || batch.status !== 'in_progress') {
    throw new Error(`A look at ${id} was answered with ${response.statusCode}: ${text}`);
  }
  into.completedCounts.add(batch.request_counts?.completed ?? 0);
}

function noSamples(): Samples {
  return { milliseconds: [], completedCounts: new Set() };
}

function findingsOf(
  { large, small }: Record<'large' | 'small', Samples>,
  rest: Pick<Findings, 'parameters'> & { readonly service: Record<string, unknown> },
): Findings {
  const largeMedian = median(large.milliseconds);
  const ratio = rounded(largeMedian / median(small.milliseconds));
  return {
    ratio,
    bar: everyBar([
      {
        asks: `service.median_ms below ${medianMsMax}`,
        met: largeMedian < medianMsMax,
      },
      { asks: `ratio below ${ratioMax}`, met: ratio < ratioMax },
    ]),
    reference: { batch: 'the small one', ...describe(small) },
    service: { batch: 'the large one', ...describe(large), ...rest.service },
    parameters: rest.parameters,
  };
}

function describe({ milliseconds, completedCounts }: Samples): Record<string, unknown> {
  return {
    median_ms: rounded(median(milliseconds)),
    p95_ms: rounded(quantile(milliseconds, 0.95)),
    max_ms: rounded(Math.max(...milliseconds)),
    polls: milliseconds.length,
    different_counts_seen: completedCounts.size,
    last_completed_count: Math.max(...completedCounts),
  };
}

function pidsOf(stack: Stack): Record<string, number> {
  return {
    ...workerPidsOf(stack),
    ...serverPidsOf(stack),
    upstream: stack.process('upstream').pid,
  };
}
