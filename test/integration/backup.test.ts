/** Both servers' data, copied while batches are under way, lost, and put back. */
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type OpenAI from 'openai';
import { NotFoundError } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import type { Stack } from '../../scripts/local/stack';
import type { SimulatedUpstream } from '../../scripts/simulated-upstream';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

type Server = 'temporal' | 'minio';
type Moment = 'early' | 'late';

const servers = ['temporal', 'minio'] as const;
const lines = chatLines(320, (index) => `[[slow:400]] ${index}`);

const started = useUpstreamStack({ workerEnv: { LONGHAUL_RECOVERY_INTERVAL_MS: '1000' } });
let stack: Stack;
let upstream: SimulatedUpstream;
let client: OpenAI;
/** Runs when the early copy is made, and has ended when the late one is. */
let first: Batch;
/** Does not exist when the early copy is made, and runs when the late one is. */
let second: Batch;

beforeAll(async () => {
  ({ stack, upstream } = started());
  client = clientOf(stack).withOptions({ maxRetries: 10 });
  first = await runningBatch();
  await copyBoth('early');
  first = await waitForEnd(client, first.id);
  second = await runningBatch();
  await copyBoth('late');
}, 180_000);

async function runningBatch(): Promise<Batch> {
  return await pollBatch(client, (await createBatch(client, lines)).id, {
    what: 'a third of the answers',
    timeoutMs: 60_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > lines.length / 3,
  });
}

/** Of a server: what of its files lies in its folder. */
function filesOf(server: Server): {
  readonly folder: string;
  readonly isIts: (name: string) => boolean;
} {
  const path = server === 'minio' ? stack.state.minioData : stack.state.temporalDatabase;
  // Temporal's database has a write-ahead log beside it.
  return { folder: dirname(path), isIts: (name) => name.startsWith(basename(path)) };
}

function copy(server: Server, from: string, to: string): void {
  const { isIts } = filesOf(server);
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from).filter(isIts)) {
    cpSync(join(from, name), join(to, name), { recursive: true });
  }
}

function backupOf(server: Server, moment: Moment): string {
  return join(stack.state.path, 'backups', moment, server);
}

/** A cold copy: neither server runs meanwhile, and the rest waits. */
async function copyBoth(moment: Moment): Promise<void> {
  await Promise.all(servers.map(async (server) => await stack.process(server).stop()));
  for (const server of servers) {
    copy(server, filesOf(server).folder, backupOf(server, moment));
  }
  await Promise.all(
    servers.map(async (server) => {
      await stack.process(server).start();
    }),
  );
}

/** Everything dies, both servers lose their data and get that of a copy. */
async function restore(moments: Readonly<Record<Server, Moment>>): Promise<void> {
  const processes = [
    ...stack.workers,
    ...(['api', ...servers] as const).map((name) => stack.process(name)),
  ];
  for (const process of processes) {
    process.kill('SIGKILL');
    await process.exited;
  }
  for (const server of servers) {
    const { folder, isIts } = filesOf(server);
    for (const name of readdirSync(folder).filter(isIts)) {
      rmSync(join(folder, name), { recursive: true });
    }
    copy(server, backupOf(server, moments[server]), folder);
  }
  upstream.reset();
  await Promise.all(
    servers.map(async (server) => {
      await stack.process(server).start();
    }),
  );
  await Promise.all([stack.process('api'), ...stack.workers].map((process) => process.start()));
}

it('copies of the same moment let a batch finish that was under way', async () => {
  await restore({ temporal: 'early', minio: 'early' });

  const batch = await waitForEnd(client, first.id);
  expect(batch.status).toBe('completed');
  await checkedResults(client, batch, lines);
  await expect(client.batches.retrieve(second.id)).rejects.toThrow(NotFoundError);
});

it('an older copy of Temporal lets every batch of the newer store finish', async () => {
  await restore({ temporal: 'early', minio: 'late' });

  const batch = await waitForEnd(client, second.id);
  expect(batch.status).toBe('completed');
  await checkedResults(client, batch, lines);
  expect(upstream.stats().requests).toBeLessThan(lines.length);
  expect(await client.batches.retrieve(first.id)).toEqual(first);
  await checkedResults(client, first, lines);
});

it('an older copy of the store ends a batch as failed that Temporal holds for completed', async () => {
  await restore({ temporal: 'late', minio: 'early' });

  const batch = await waitForEnd(client, first.id);
  expect(batch.status).toBe('failed');
  expect(batch.errors?.data?.map(({ code }) => code)).toEqual(['internal_error']);
  const { output } = await checkedResults(client, batch, lines);
  expect(output.length).toBeGreaterThan(lines.length / 3);
  await expect(client.batches.retrieve(second.id)).rejects.toThrow(NotFoundError);
});
