/** Batches whose workflow is gone: terminated, failed, or lost with Temporal's database. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { simulatedInFlight } from '../../scripts/local/upstream-choice';
import { newBatchRecord } from '../../src/domain/batch';
import { defaultProjectId, shardWorkflowId, type BatchId } from '../../src/domain/ids';
import { openBatchKey } from '../../src/domain/object-keys';
import type { BatchWorkflowInput } from '../../src/domain/workflow-contract';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import { TemporalBatchWorkflows } from '../../src/temporal/batch-workflows';
import { scheduleId } from '../../src/temporal/schedules';
import { aNewBatch } from '../support/batches';
import { useStack } from '../support/local-stack';
import { checkedResults } from '../support/result-checks';
import { useTemporalClient } from '../support/temporal-client';

const stack = useStack({
  apiEnv: { LONGHAUL_RUNNING_BATCHES_MAX: '1' },
  workerEnv: { LONGHAUL_RECOVERY_INTERVAL_MS: '1000' },
});
const temporal = useTemporalClient(stack);
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

const slowLines = (count: number): string[] => chatLines(count, (index) => `[[slow:400]] ${index}`);

async function running(lines: readonly string[]): Promise<Batch> {
  const { id } = await createBatch(client, lines);
  return await pollBatch(client, id, {
    what: 'some answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
}

async function waiting(lines: readonly string[]): Promise<string> {
  const { id } = await createBatch(client, lines);
  await pollBatch(client, id, {
    what: 'a wait for its turn',
    timeoutMs: 30_000,
    is: ({ status }) => status === 'in_progress',
  });
  return id;
}

async function terminate(batchId: string): Promise<void> {
  await temporal().workflow.getHandle(batchId).terminate('by hand');
}

/** Waits for the run that ends the batch to have ended itself; its marker is then gone. */
async function cleanedUp(batchId: string): Promise<void> {
  await temporal().workflow.getHandle(batchId).result();
  const store = createMinioObjectStore(stack().store);
  expect(await store.head(openBatchKey(defaultProjectId, batchId as BatchId))).toBeUndefined();
  store.close();
}

async function upstreamRequests(): Promise<number> {
  const answer = await fetch(`${stack().upstreamUrl}/_stats`);
  return ((await answer.json()) as { readonly requests: number }).requests;
}

describe('a batch whose workflow somebody terminates', () => {
  it('is cancelled, and keeps its answers: waiting for its turn, and in the middle of slices', async () => {
    const lines = slowLines(2_000);
    const seen = await running(lines);
    const short = chatLines(3);
    const second = await waiting(short);
    const askedBefore = await upstreamRequests();
    await terminate(second);

    const never = await waitForEnd(client, second);
    expect(never.status).toBe('cancelled');
    const unanswered = await checkedResults(client, never, short);
    expect(unanswered.errors.map(({ error }) => error?.code)).toEqual(
      Array(3).fill('batch_cancelled'),
    );
    await cleanedUp(second);

    expect((await client.batches.retrieve(seen.id)).status).toBe('in_progress');
    await terminate(seen.id);
    const batch = await waitForEnd(client, seen.id);
    expect(batch).toMatchObject({ status: 'cancelled', errors: null, failed_at: null });
    const { output, errors } = await checkedResults(client, batch, lines);
    expect(output.length).toBeGreaterThanOrEqual(seen.request_counts?.completed ?? NaN);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_cancelled']));
    // What was in flight was waited for: hardly an answer came too late to be kept.
    expect((await upstreamRequests()) - output.length).toBeLessThanOrEqual(simulatedInFlight);
    expect(output.length).toBeGreaterThanOrEqual(askedBefore - simulatedInFlight);
    await cleanedUp(seen.id);
  });

  it('is cancelled without files before its input is validated', async () => {
    const [worker] = stack().workers;
    worker?.kill('SIGSTOP');
    let batchId: string;
    try {
      batchId = (await createBatch(client, chatLines(3))).id;
      await terminate(batchId);
    } finally {
      worker?.kill('SIGCONT');
    }
    expect(await waitForEnd(client, batchId)).toMatchObject({
      status: 'cancelled',
      output_file_id: null,
      error_file_id: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
    });
    await cleanedUp(batchId);
  });
});

describe('a batch whose workflow fails', () => {
  it('is failed, with the reason and the answers that it had', async () => {
    const lines = chatLines(6_000);
    const first = await running(slowLines(2_000));
    const second = await waiting(lines);
    // A workflow of another kind has the name of a shard's: the batch cannot run that shard.
    const namesake = await temporal().workflow.start('namesake', {
      workflowId: shardWorkflowId(second as BatchId, 1),
      taskQueue: 'nobody',
    });
    await client.batches.cancel(first.id);
    await expect(temporal().workflow.getHandle(second).result()).rejects.toThrow();
    await namesake.terminate();

    const batch = await waitForEnd(client, second);
    expect(batch).toMatchObject({ status: 'failed', completed_at: null, cancelled_at: null });
    expect(batch.failed_at).toEqual(expect.any(Number));
    expect(batch.errors?.data).toEqual([
      {
        code: 'internal_error',
        message: expect.stringMatching(/internal error/) as string,
        param: null,
        line: null,
      },
    ]);
    const { output, errors } = await checkedResults(client, batch, lines);
    expect(output.length).toBeGreaterThan(2_000);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_failed']));
    expect(batch.usage?.total_tokens).toBeGreaterThan(0);
    await cleanedUp(second);
  });
});

describe('starting a lost workflow again', () => {
  it('replaces none that runs, and none that came back', async () => {
    const workflows = new TemporalBatchWorkflows(temporal());
    const batch = aNewBatch();
    const input: BatchWorkflowInput = { batch, taskQueuePrefix: 'nobody' };
    const { status } = newBatchRecord(batch);
    const restart = async (state: 'missing' | 'stopped'): Promise<boolean> =>
      await workflows.restart(input, { state, status });

    expect(await workflows.state(batch.id)).toBe('missing');
    const started = await Promise.all([restart('missing'), restart('missing')]);
    expect(started.sort()).toEqual([false, true]);
    expect(await workflows.state(batch.id)).toBe('running');
    expect(await restart('stopped')).toBe(false);

    await terminate(batch.id);
    expect(await workflows.state(batch.id)).toBe('stopped');
    expect(await restart('missing')).toBe(false);
    const again = await Promise.all([restart('stopped'), restart('stopped')]);
    expect(again.sort()).toEqual([false, true]);
    await terminate(batch.id);
  });
});

describe('a Temporal that has lost its database', () => {
  const database = (): string => stack().state.temporalDatabase;

  it('gets its schedules and its batches back, and no answer is asked for twice', async () => {
    const lines = slowLines(800);
    const asked = await upstreamRequests();
    const seen = await running(lines);
    const server = stack().process('temporal');
    await server.stop();
    for (const suffix of ['', '-wal', '-shm']) {
      if (existsSync(`${database()}${suffix}`)) {
        renameSync(`${database()}${suffix}`, `${database()}.old${suffix}`);
      }
    }
    await server.start();

    const batch = await waitForEnd(client, seen.id);
    expect(batch.status).toBe('completed');
    const { output } = await checkedResults(client, batch, lines);
    expect(output).toHaveLength(lines.length);
    expect((await upstreamRequests()) - asked).toBeLessThanOrEqual(
      lines.length + simulatedInFlight,
    );
    const { memo } = await temporal().workflow.getHandle(seen.id).describe();
    expect(memo).toMatchObject({ recoveredFrom: 'missing' });
    await cleanedUp(seen.id);
    await temporal().schedule.getHandle(scheduleId('longhaul', 'sweep')).describe();
  });

  it('leaves a batch alone that has ended since its copy was made', async () => {
    const [ended] = (await client.batches.list({ limit: 1 })).data;
    const asked = await upstreamRequests();
    const server = stack().process('temporal');
    await server.stop();
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(`${database()}${suffix}`, { force: true });
      if (existsSync(`${database()}.old${suffix}`)) {
        renameSync(`${database()}.old${suffix}`, `${database()}${suffix}`);
      }
    }
    await server.start();

    const batchId = ended?.id ?? '';
    const { memo } = await temporal().workflow.getHandle(batchId).describe();
    expect(memo).not.toHaveProperty('recoveredFrom');
    expect(await temporal().workflow.getHandle(batchId).result()).toEqual({ status: 'completed' });
    expect(await client.batches.retrieve(batchId)).toEqual(ended);
    expect(await upstreamRequests()).toBe(asked);
  });
});

test('a shard whose workflow somebody terminates is run again from its ledger', async () => {
  const lines = chatLines(30, (index) => (index < 20 ? 'Hi' : `[[slow:3000]] ${index}`));
  const askedBefore = await upstreamRequests();
  const { id } = await running(lines);
  await temporal()
    .workflow.getHandle(shardWorkflowId(id as BatchId, 0))
    .terminate('by hand');
  const batch = await waitForEnd(client, id);
  expect(batch).toMatchObject({
    status: 'completed',
    request_counts: { total: 30, completed: 30 },
  });
  await checkedResults(client, batch, lines);
  // At most those that were in flight are asked again.
  expect((await upstreamRequests()) - askedBefore).toBeLessThanOrEqual(lines.length + 10);

  // Only the first run of the shard is told under which name its process holds the input.
  const { events } = await temporal().workflow.getHandle(id).fetchHistory();
  const inputs = (events ?? [])
    .flatMap((event) => event.startChildWorkflowExecutionInitiatedEventAttributes ?? [])
    .map(({ input }) => Buffer.from(input?.payloads?.[0]?.data ?? []).toString());
  expect(inputs.map((input) => input.includes('"heldAs"'))).toEqual([true, false]);
});
