/** A worker of several processes, each of which can end in its own way. */
import { readFileSync } from 'node:fs';
import { waitForEnd } from '../../scripts/local/batches';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { waitUntil } from '../../scripts/local/wait';
import { identityOf } from '../../src/temporal/identity';
import { GatedStack, type GatedBatch } from '../support/gated-stack';
import { checkedResults } from '../support/result-checks';

/** Slices of processes that were killed are missed after their heartbeat timeout. */
jest.setTimeout(300_000);

const processCount = 3;
/** Two shards. */
const lineCount = 5_001;
const shardCount = 2;
/** Of each shard. */
const answeredCount = 100;

let on: GatedStack;
let worker: ManagedProcess;
beforeAll(async () => {
  on = await GatedStack.start({
    gateCount: 4,
    workerEnv: {
      LONGHAUL_INFERENCE_PROCESSES: String(processCount),
      LONGHAUL_WORKER_SLICES_MAX: '1',
      LONGHAUL_SHUTDOWN_GRACE_MS: '1000',
    },
  });
  const [only] = on.stack.workers;
  if (only === undefined) {
    throw new Error('The stack of a test has no worker');
  }
  worker = only;
}, 120_000);
afterAll(async () => {
  await on.stop();
}, 60_000);

interface LogLine {
  readonly pid: number;
  readonly msg: string;
}

/** All processes of the worker since the test began, also those that are gone. */
function startedPids(): number[] {
  const lines = readFileSync(worker.logFile, 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ msg }) => msg === 'worker is running')
    .map(({ pid }) => pid);
}

/** Of the worker as it was started last; the first is the one that started the others. */
function runningPids(): number[] {
  const others = startedPids().slice(-processCount);
  return [worker.pid, ...others.filter((pid) => pid !== worker.pid)];
}

async function areGone(pids: readonly number[]): Promise<void> {
  await waitUntil(() => !pids.some(isRunning), {
    what: 'the processes of the worker to end',
    timeoutMs: 60_000,
  });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // One that has ended stays until its parent, or whoever takes its place, has looked at it.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/** The processes that run slices of a batch, of those given. */
async function processesOf({ id }: GatedBatch, pids: readonly number[]): Promise<number[]> {
  const identities = await Promise.all(
    Array.from({ length: shardCount }, async (_, index) => {
      const shard = `${id}/shard-${String(index).padStart(5, '0')}`;
      const { raw } = await on.temporal.workflow.getHandle(shard).describe();
      return raw.pendingActivities?.[0]?.lastWorkerIdentity;
    }),
  );
  return pids.filter((pid) => identities.includes(identityOf('worker', pid)));
}

/** A batch of which two processes run a slice each: some lines are answered, the others wait. */
async function heldBatch(): Promise<GatedBatch> {
  const gate = on.upstream.next();
  gate.set((index) => (index % 2_560 < answeredCount ? 'answered' : 'held'));
  const batch = await on.createFor(gate, { lineCount });
  await on.reach(
    batch,
    ({ request_counts: counts }) =>
      counts?.completed === shardCount * answeredCount && gate.heldCount > 0,
  );
  return batch;
}

/** Each line has one result, and none was asked again once its answer was committed. */
async function completes({ id, client, lines, gate }: GatedBatch): Promise<void> {
  gate.set('answered');
  const batch = await waitForEnd(client, id);
  expect(batch.status).toBe('completed');
  expect((await checkedResults(client, batch, lines)).output).toHaveLength(lineCount);
  expect(gate.answeredAgain).toEqual([]);
}

it('ends with all its processes and hands everything over at SIGTERM', async () => {
  const pids = runningPids();
  const batch = await heldBatch();
  expect(await processesOf(batch, pids)).toHaveLength(shardCount);
  worker.kill('SIGTERM');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect(pids.filter(isRunning)).toEqual([]);
  await worker.start();
  await completes(batch);
});

it('fails when one of its processes is killed, and the others end as well', async () => {
  const pids = runningPids();
  const batch = await heldBatch();
  const [killed = NaN] = await processesOf(batch, pids.slice(1));
  process.kill(killed, 'SIGKILL');
  expect(await worker.exited).toEqual({ code: 1, signal: null });
  await areGone(pids);
  await worker.start();
  await completes(batch);
});

it('leaves no process behind when it is killed', async () => {
  const pids = runningPids();
  const batch = await heldBatch();
  worker.kill('SIGKILL');
  expect(await worker.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await areGone(pids);
  await worker.start();
  await completes(batch);
});

it('ends in order when a terminal interrupts all its processes at once, or while they start', async () => {
  const pids = runningPids();
  const batch = await heldBatch();
  process.kill(-worker.pid, 'SIGINT');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect(pids.filter(isRunning)).toEqual([]);

  const before = startedPids().length;
  const starting = worker.start();
  starting.catch(() => undefined);
  await waitUntil(() => startedPids().length > before, {
    what: 'the first process of the worker',
    timeoutMs: 60_000,
  });
  worker.kill('SIGTERM');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  await expect(starting).rejects.toThrow('ended with exit code 0 before it was ready');

  await worker.start();
  await completes(batch);
});
