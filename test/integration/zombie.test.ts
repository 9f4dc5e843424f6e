import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitForEnd } from '../../scripts/local/batches';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { projectRoot } from '../../scripts/local/project-root';
import { waitUntil } from '../../scripts/local/wait';
import { GatedStack, type GatedBatch } from '../support/gated-stack';
import { checkedResults } from '../support/result-checks';

const inference = { LONGHAUL_WORKER_ROLES: 'inference' };
const lineCount = 1_000;
const answeredAtFirst = 40;

/** Until the engine takes a worker for dead, and processes are started several times. */
jest.setTimeout(300_000);

let on: GatedStack;
/** The one that seems dead. It reaches the servers through the proxies. */
let zombie: ManagedProcess;
/** The one that takes over. */
let other: ManagedProcess;
beforeAll(async () => {
  on = await GatedStack.start({
    gateCount: 10,
    workerEnv: { LONGHAUL_WORKER_ROLES: 'orchestrator' },
  });
  zombie = await on.stack.addWorker({ ...inference, ...on.proxyEnv });
  other = await on.stack.addWorker(inference);
}, 120_000);
afterAll(async () => {
  await on.stop();
}, 60_000);

/** A batch whose slice the zombie runs: some lines are committed, others in flight. */
async function batchOfTheZombie(): Promise<GatedBatch> {
  await other.stop();
  const gate = on.upstream.next();
  gate.set((index) => (index < answeredAtFirst ? 'answered' : 'held'));
  const batch = await on.createFor(gate, { lineCount });
  await on.reach(
    batch,
    ({ request_counts: counts }) => counts?.completed === answeredAtFirst && gate.heldCount > 0,
  );
  await other.start();
  return batch;
}

async function takenOver({ gate }: GatedBatch): Promise<void> {
  const before = gate.requests;
  await waitUntil(() => gate.requests > before, {
    what: 'the other worker to take over',
    timeoutMs: 60_000,
  });
}

/** How many of its lines are answered when it is completed; each is there once. */
async function completed({ id, client, lines }: GatedBatch): Promise<number> {
  const batch = await waitForEnd(client, id);
  expect(batch.status).toBe('completed');
  return (await checkedResults(client, batch, lines)).output.length;
}

/** The same for a small batch that has nobody else to run it. */
async function completedByZombie(): Promise<number> {
  await other.stop();
  return await completed(await on.createFor(on.upstream.next(), { lineCount: 5 }));
}

describe('a worker that seems dead', () => {
  it('because it stood still damages nothing when it goes on, and is of use again', async () => {
    const batch = await batchOfTheZombie();
    zombie.kill('SIGSTOP');
    await takenOver(batch);
    zombie.kill('SIGCONT');
    batch.gate.set('answered');
    expect(await completed(batch)).toBe(lineCount);
    expect(await completedByZombie()).toBe(5);
  });

  it('because it does not reach Temporal damages nothing while it goes on working', async () => {
    const batch = await batchOfTheZombie();
    on.temporalProxy.silence();
    await takenOver(batch);
    batch.gate.set('answered');
    expect(await completed(batch)).toBe(lineCount);
    on.temporalProxy.heal();
    expect(await completedByZombie()).toBe(5);
  });

  it('to the store keeps what is answered meanwhile, and asks none of it again', async () => {
    const batch = await batchOfTheZombie();
    const { gate } = batch;
    on.storeProxy.cut();
    gate.set((index) => (index < 2 * answeredAtFirst ? 'answered' : 'held'));
    await on.reach(batch, () => gate.answeredCount === 2 * answeredAtFirst);
    const seen = await on.client.batches.retrieve(batch.id);
    expect(seen.request_counts?.completed).toBe(answeredAtFirst);
    on.storeProxy.heal();
    gate.set('answered');
    expect(await completed(batch)).toBe(lineCount);
    expect(gate.answeredAgain).toEqual([]);
    expect(await completedByZombie()).toBe(5);
  });
});

/** As `stall-watch.cjs` prints them. */
interface Stall {
  readonly cpuMs: number;
}

test('a worker that is busy with large lines and answers is not taken for dead', async () => {
  await zombie.stop();
  const watch = join(projectRoot, 'test', 'support', 'stall-watch.cjs');
  const worker = await on.stack.addWorker({
    ...inference,
    // Many slices, which merge their segments before they hand over.
    LONGHAUL_SLICE_DURATION_MS: '2000',
    NODE_OPTIONS: `--require ${watch}`,
  });
  const gate = on.upstream.next();
  // Each of them makes a segment of its own.
  gate.paddingBytes = 2_200_000;
  const lines = [...gate.lines(30), ...gate.lines(36, 'x'.repeat(5_000_000)).slice(30)];
  const id = await on.create(await on.upload(lines), '24h');
  expect(await completed({ id, client: on.client, gate, lines })).toBe(lines.length);

  const { events } = await on.temporal.workflow.getHandle(`${id}/shard-00000`).fetchHistory();
  const attempts = events?.flatMap((event) => event.activityTaskStartedEventAttributes ?? []) ?? [];
  expect(attempts.length).toBeGreaterThan(0);
  expect(attempts.map(({ attempt }) => attempt)).toEqual(attempts.map(() => 1));
  expect(gate.requests).toBe(lines.length);

  worker.kill('SIGUSR2');
  const printed = (): string | undefined =>
    /^stalls: (.*)$/m.exec(readFileSync(worker.logFile, 'utf8'))?.[1];
  await waitUntil(() => printed() !== undefined, { what: 'its stalls', timeoutMs: 10_000 });
  const stalls = JSON.parse(printed() ?? '') as Stall[];
  // Heartbeats are due every second, and missed after ten.
  expect(stalls.filter(({ cpuMs }) => cpuMs > 2_000)).toEqual([]);
});
