/** Objects of a running batch's ledger that somebody changes or deletes in the store. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import type { ManagedProcess } from '../../scripts/local/managed-process';
import { waitUntil } from '../../scripts/local/wait';
import { batchKeys, type ShardKeys } from '../../src/domain/object-keys';
import { defaultProjectId, type BatchId } from '../../src/domain/ids';
import {
  createMinioObjectStore,
  type MinioObjectStore,
} from '../../src/storage/minio-object-store';
import { keysBelow } from '../support/faulty-object-store';
import { useStack } from '../support/local-stack';
import { checkedResults } from '../support/result-checks';

const stack = useStack({ workerEnv: { LONGHAUL_WORKER_ROLES: 'orchestrator' } });
let client: OpenAI;
let store: MinioObjectStore;
let inference: ManagedProcess;

beforeAll(async () => {
  client = clientOf(stack());
  store = createMinioObjectStore(stack().store);
  inference = await stack().addWorker({ LONGHAUL_WORKER_ROLES: 'inference' });
});

afterAll(() => {
  store.close();
});

/** Lines whose answers tell which request they belong to. */
function slowLines(count: number, ms: number): string[] {
  return chatLines(count, (index) => `[[slow:${ms}]][[echo]] ${index}`);
}

function keysOf(batchId: string): ShardKeys {
  return batchKeys(defaultProjectId, batchId as BatchId).shard(0);
}

async function change(key: string, damage: (bytes: Buffer) => Buffer): Promise<void> {
  const bytes = (await store.get(key))?.bytes;
  if (bytes === undefined) {
    throw new Error(`There is nothing to damage [key=${key}]`);
  }
  await store.put(key, damage(Buffer.from(bytes)));
}

function flipped(bytes: Buffer): Buffer {
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  return bytes;
}

async function answersOf(batchId: string, count: number): Promise<void> {
  await pollBatch(client, batchId, {
    what: `${count} answers`,
    timeoutMs: 60_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= count,
  });
}

/** Their keys, as soon as there are so many. */
async function objectsBelow(prefix: string, count: number): Promise<string[]> {
  let keys: string[] = [];
  await waitUntil(
    async () => {
      keys = await keysBelow(store, prefix);
      return keys.length >= count;
    },
    { what: `${count} objects below ${prefix}`, timeoutMs: 60_000 },
  );
  return keys;
}

async function upstreamRequests(): Promise<number> {
  const answer = await fetch(`${stack().upstreamUrl}/_stats`);
  return ((await answer.json()) as { readonly requests: number }).requests;
}

async function restart(): Promise<void> {
  inference.kill('SIGKILL');
  await inference.exited;
  await inference.start();
}

/** Checks that the batch has completed, and each answer is that of its request. */
async function checkAnswers(batchId: string, lines: readonly string[]): Promise<void> {
  const batch = await waitForEnd(client, batchId);
  expect(batch.status).toBe('completed');
  const { output, errors } = await checkedResults(client, batch, lines);
  expect(errors).toEqual([]);
  const hashes = lines.map((line) => {
    const { body } = JSON.parse(line) as { readonly body: unknown };
    return createHash('sha256').update(JSON.stringify(body)).digest('hex');
  });
  expect(output.map(({ response }) => response?.body)).toMatchObject(
    hashes.map((request_sha256) => ({ request_sha256 })),
  );
}

it('only lines whose answers were damaged are asked again', async () => {
  const lines = slowLines(800, 400);
  const requestsBefore = await upstreamRequests();
  const { id } = await createBatch(client, lines);
  const keys = keysOf(id);
  const [first, second] = await objectsBelow(keys.segmentsPrefix, 2);
  await change(first ?? '', flipped);
  await change(second ?? '', (bytes) => bytes.subarray(0, -1));
  await change(keys.epoch(1), flipped);
  await restart();

  await answersOf(id, 500);
  const [written] = await objectsBelow(keys.segmentsOf(2), 2);
  // Its own segments a process has in memory, and does not miss; and no epoch names this one yet.
  await store.delete([keys.epoch(2), written ?? '']);
  await restart();
  await checkAnswers(id, lines);
  // Three segments of a second each, and what was in flight at the kills; not the whole batch.
  const repeats = (await upstreamRequests()) - requestsBefore - lines.length;
  expect(repeats).toBeGreaterThan(0);
  expect(repeats).toBeLessThan(lines.length);
  const log = readFileSync(inference.logFile, 'utf8');
  for (const key of [first, second, keys.epoch(1)]) {
    expect(log).toContain(`"key":"${key ?? ''}"`);
  }
});

it('a shard whose sealed object is gone when the files are written is sealed anew', async () => {
  const lines = slowLines(60, 2_000);
  const { id } = await createBatch(client, lines);
  const keys = keysOf(id);
  const exists = async (prefix: string): Promise<boolean> =>
    (await keysBelow(store, prefix)).length > 0;
  const wait = { timeoutMs: 60_000 };
  await waitUntil(async () => await exists(keys.epoch(1)), { what: 'a slice', ...wait });
  const [orchestrator] = stack().workers;
  orchestrator?.kill('SIGSTOP');
  try {
    await waitUntil(async () => await exists(keys.epoch(2)), { what: 'a seal', ...wait });
    await store.delete([keys.sealedOutput(1)]);
  } finally {
    orchestrator?.kill('SIGCONT');
  }
  await checkAnswers(id, lines);
  const log = readFileSync(orchestrator?.logFile ?? '', 'utf8');
  expect(log).toContain(`"key":"${keys.sealedOutput(1)}"`);
});
