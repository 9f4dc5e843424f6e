/**
 * Records the workflow histories that the replay tests replay: one for each shape that a batch can
 * take, made by real batches on a real Temporal, and one of a sweep and of a recovery. Run after an
 * intended change of the workflows:
 *
 *     npm run record-histories [-- DIRECTORY]
 *
 * Histories that shipped before stay in the tests; new shapes get new names.
 */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type OpenAI from 'openai';
import { notificationWorkflowId, shardWorkflowId, type BatchId } from '../src/domain/ids';
import { identityOf } from '../src/temporal/identity';
import { scheduleId, type ScheduleName } from '../src/temporal/schedules';
import { webhookNetworks, withWebhook } from './histories/webhook';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from './local/batches';
import { projectRoot } from './local/project-root';
import { startStack, type Stack } from './local/stack';
import { waitUntil } from './local/wait';

interface Recorder {
  readonly stack: Stack;
  readonly client: OpenAI;
  readonly temporal: Client;
}

/** Makes one batch of a certain shape; returns it when it has ended. */
type Shape = (recorder: Recorder) => Promise<Batch>;

const slowLines = (count: number): string[] => chatLines(count, (index) => `[[slow:400]] ${index}`);

async function running(client: OpenAI, batch: Batch): Promise<Batch> {
  return await pollBatch(client, batch.id, {
    what: 'some answers',
    timeoutMs: 60_000,
    is: ({ request_counts }) => (request_counts?.completed ?? 0) > 0,
  });
}

const shapes: Readonly<Record<string, Shape>> = {
  completed: async ({ client }) =>
    await waitForEnd(client, (await createBatch(client, chatLines(20))).id),

  'completed-after-minutes': async ({ client }) => {
    const batch = await createBatch(
      client,
      chatLines(20, () => '[[slow:130000]]'),
    );
    return await waitForEnd(client, batch.id, 180_000);
  },

  'completed-several-shards': async ({ client }) =>
    await waitForEnd(client, (await createBatch(client, chatLines(11_000))).id, 120_000),

  cancelled: async ({ client }) => {
    const batch = await running(client, await createBatch(client, slowLines(2_000)));
    await client.batches.cancel(batch.id);
    return await waitForEnd(client, batch.id);
  },

  'cancelled-in-web-ui': async ({ client, temporal }) => {
    const batch = await running(client, await createBatch(client, slowLines(2_000)));
    await temporal.workflow.getHandle(batch.id).cancel();
    return await waitForEnd(client, batch.id);
  },

  expired: async ({ client }) =>
    await waitForEnd(
      client,
      (await createBatch(client, slowLines(4_000), { completionWindow: '3s' })).id,
    ),

  'worker-killed': async ({ client, stack }) => {
    const batch = await running(client, await createBatch(client, slowLines(600)));
    const [worker] = stack.workers;
    worker?.kill('SIGKILL');
    await worker?.exited;
    await worker?.start();
    return await waitForEnd(client, batch.id, 120_000);
  },

  'cancelled-worker-killed': async ({ client, stack }) => {
    const batch = await running(client, await createBatch(client, slowLines(2_000)));
    const orchestrator = await stack.addWorker({ LONGHAUL_WORKER_ROLES: 'orchestrator' });
    const [worker] = stack.workers;
    worker?.kill('SIGKILL');
    await worker?.exited;
    await client.batches.cancel(batch.id);
    const ended = await waitForEnd(client, batch.id, 120_000);
    await worker?.start();
    await orchestrator.stop();
    return ended;
  },

  'child-terminated': async ({ client, temporal }) => {
    const batch = await running(client, await createBatch(client, slowLines(4_000)));
    const childId = shardWorkflowId(batch.id as BatchId, 0);
    await temporal.workflow.getHandle(childId).terminate('by hand');
    return await waitForEnd(client, batch.id, 120_000);
  },
};

/** Shapes of batches that end before a shard runs. */
const shapesWithoutShards: Readonly<Record<string, Shape>> = {
  invalid: async ({ client }) =>
    await waitForEnd(client, (await createBatch(client, ['{"custom_id":"a"}', 'no JSON'])).id),

  'expired-before-start': async ({ client, stack }) => {
    const [worker] = stack.workers;
    await worker?.stop();
    const batch = await createBatch(client, chatLines(20), { completionWindow: '3s' });
    await waitUntil(() => Promise.resolve(Date.now() >= (batch.expires_at ?? 0) * 1_000), {
      what: 'the end of its completion window',
      timeoutMs: 10_000,
    });
    await worker?.start();
    return await waitForEnd(client, batch.id, 120_000);
  },
};

/** Shapes of batches where one runs at a time. */
const shapesInTurn: Readonly<Record<string, Shape>> = {
  'waited-for-turn': async ({ client }) => {
    const first = await running(client, await createBatch(client, slowLines(4_000)));
    const second = await waiting(client, await createBatch(client, chatLines(20)));
    await client.batches.cancel(first.id);
    return await waitForEnd(client, second.id, 120_000);
  },

  'cancelled-waiting': async ({ client }) => {
    const first = await running(client, await createBatch(client, slowLines(4_000)));
    const second = await waiting(client, await createBatch(client, chatLines(20)));
    await client.batches.cancel(second.id);
    const ended = await waitForEnd(client, second.id);
    await client.batches.cancel(first.id);
    await waitForEnd(client, first.id);
    return ended;
  },
};

/** Shapes of the run that takes the place of one that was lost; one batch runs at a time. */
const shapesOfRecovery: Readonly<Record<string, Shape>> = {
  'recovered-terminated': async ({ client, temporal }) => {
    const batch = await running(client, await createBatch(client, slowLines(2_000)));
    await temporal.workflow.getHandle(batch.id).terminate('by hand');
    await runNow(temporal, 'recovery');
    return await waitForEnd(client, batch.id);
  },

  'recovered-failed': async ({ client, temporal }) => {
    const first = await running(client, await createBatch(client, slowLines(4_000)));
    const second = await waiting(client, await createBatch(client, chatLines(6_000)));
    // A shard cannot be run when there is another workflow of its name.
    const namesake = await temporal.workflow.start('namesake', {
      workflowId: shardWorkflowId(second.id as BatchId, 1),
      taskQueue: 'nobody',
    });
    await client.batches.cancel(first.id);
    await temporal.workflow
      .getHandle(second.id)
      .result()
      .catch(() => undefined);
    await namesake.terminate();
    await runNow(temporal, 'recovery');
    return await waitForEnd(client, second.id);
  },
};

/** Shapes of batches whose end is told to a webhook. */
const shapesWithWebhook: Readonly<Record<string, Shape>> = {
  notified: async ({ client }) =>
    await waitForEnd(client, (await createBatch(client, chatLines(20))).id),

  'notified-invalid': async ({ client }) =>
    await waitForEnd(client, (await createBatch(client, ['no JSON'])).id),

  'notified-cancelled': async ({ client }) => {
    const batch = await running(client, await createBatch(client, slowLines(2_000)));
    await client.batches.cancel(batch.id);
    return await waitForEnd(client, batch.id);
  },
};

async function waiting(client: OpenAI, batch: Batch): Promise<Batch> {
  return await pollBatch(client, batch.id, {
    what: 'a wait for its turn',
    timeoutMs: 60_000,
    is: ({ status }) => status === 'in_progress',
  });
}

async function record(directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true });
  const windows = { LONGHAUL_COMPLETION_WINDOWS: '24h,3s' };
  await withRecorder(windows, async (recorder) => {
    await recordAll(recorder, { ...shapes, ...shapesWithoutShards }, directory);
    for (const name of ['sweep', 'recovery'] as const) {
      const workflowId = await runNow(recorder.temporal, name);
      await save(recorder.temporal, { workflowId, file: join(directory, name) });
    }
  });
  await withRecorder({ LONGHAUL_RUNNING_BATCHES_MAX: '1' }, async (recorder) => {
    await recordAll(recorder, { ...shapesInTurn, ...shapesOfRecovery }, directory);
  });
  await withRecorder({}, async (recorder) => {
    await withWebhook(recorder.stack, async (webhookId) => {
      const [batch] = await recordAll(recorder, shapesWithWebhook, directory);
      const workflowId = notificationWorkflowId(batch?.id as BatchId, webhookId);
      await save(recorder.temporal, { workflowId, file: join(directory, 'notification') });
    });
  });
}

async function recordAll(
  recorder: Recorder,
  named: Readonly<Record<string, Shape>>,
  directory: string,
): Promise<Batch[]> {
  const { temporal } = recorder;
  const batches: Batch[] = [];
  for (const [name, shape] of Object.entries(named)) {
    process.stderr.write(`recording ${name} … `);
    const batch = await shape(recorder);
    await save(temporal, { workflowId: batch.id, file: join(directory, `batch-${name}`) });
    if (shapes[name] !== undefined) {
      const workflowId = shardWorkflowId(batch.id as BatchId, 0);
      await save(temporal, { workflowId, file: join(directory, `shard-${name}`) });
    }
    process.stderr.write(`${batch.status}\n`);
    batches.push(batch);
  }
  return batches;
}

async function withRecorder(
  apiEnv: Readonly<Record<string, string>>,
  work: (recorder: Recorder) => Promise<void>,
): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), 'longhaul-record-'));
  const workerEnv = { LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: webhookNetworks };
  const stack = await startStack({ stateDir, apiEnv, workerEnv });
  const connection = await Connection.connect({ address: stack.temporal.address });
  try {
    const temporal = new Client({
      connection,
      namespace: stack.temporal.namespace,
      identity: identityOf('recorder', process.pid),
    });
    await work({ stack, client: clientOf(stack), temporal });
  } finally {
    await connection.close();
    await stack.stop();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** Starts a workflow as its schedule does; returns its id. */
async function runNow(temporal: Client, name: ScheduleName): Promise<string> {
  const schedule = temporal.schedule.getHandle(scheduleId('longhaul', name));
  const before = (await schedule.describe()).info.numActionsTaken;
  await schedule.trigger();
  let workflowId: string | undefined;
  await waitUntil(
    async () => {
      const { info } = await schedule.describe();
      workflowId = info.recentActions.at(-1)?.action.workflow.workflowId;
      return info.numActionsTaken > before;
    },
    { what: `a ${name} to start`, timeoutMs: 10_000 },
  );
  return workflowId ?? '';
}

/** Waits for the workflow's own end: a batch is terminal a moment before. */
async function save(
  temporal: Client,
  { workflowId, file }: { readonly workflowId: string; readonly file: string },
): Promise<void> {
  const handle = temporal.workflow.getHandle(workflowId);
  await handle.result().catch(() => undefined);
  const history: unknown = JSON.parse(historyToJSON(await handle.fetchHistory()));
  // Failures have stack traces, and those say where the project lies.
  const text = JSON.stringify({ workflowId, history })
    .replaceAll(`${projectRoot}/`, '')
    .replaceAll(/(?<=[( ])\/[^\s()"]*\/(?=node_modules\/)/g, '');
  writeFileSync(`${file}.json`, `${text}\n`);
}

export async function main(args: readonly string[]): Promise<number> {
  await record(resolve(args[0] ?? join(projectRoot, 'test/replay/histories')));
  return 0;
}
