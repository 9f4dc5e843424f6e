/**
 * Sweeps on real servers. Nobody waits for an hour here: what is to be old is written as if it were.
 */
import { Client, Connection } from '@temporalio/client';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  resultLines,
  waitForEnd,
} from '../../scripts/local/batches';
import { waitUntil } from '../../scripts/local/wait';
import type { FileRecord } from '../../src/domain/file';
import {
  defaultProjectId,
  makeBatchId,
  makeFileId,
  type BatchId,
  type FileId,
} from '../../src/domain/ids';
import {
  agendaPrefix,
  batchKeys,
  fileKeys,
  openBatchKey,
  uploadedFileKey,
} from '../../src/domain/object-keys';
import type { BatchRecord } from '../../src/domain/batch';
import { Agenda } from '../../src/storage/agenda';
import { BatchStore } from '../../src/storage/batch-store';
import { FileStore } from '../../src/storage/file-store';
import { getJson, putJson } from '../../src/storage/json-object';
import {
  createMinioObjectStore,
  type MinioObjectStore,
} from '../../src/storage/minio-object-store';
import { scheduleId } from '../../src/temporal/schedules';
import { aNewBatch } from '../support/batches';
import { useStack } from '../support/local-stack';

const sweepEnv = { LONGHAUL_SWEEP_INTERVAL_MS: '1000' };
const stack = useStack({ workerEnv: sweepEnv });
const projectId = defaultProjectId;
const nowSeconds = Math.floor(Date.now() / 1000);
const day = 86_400;

let client: OpenAI;
let store: MinioObjectStore;
let agenda: Agenda;
beforeAll(() => {
  client = clientOf(stack());
  store = createMinioObjectStore(stack().store);
  agenda = new Agenda(store);
});
afterAll(() => {
  store.close();
});

async function uploadInput(): Promise<FileId> {
  const content = Buffer.from(`${chatLines(1).join()}\n`);
  const file = await toFile(content, 'requests.jsonl');
  return (await client.files.create({ file, purpose: 'batch' })).id as FileId;
}

async function keysBelow(prefix: string): Promise<string[]> {
  return (await store.list(prefix)).items.map(({ key }) => key);
}

async function untilGone(...prefixes: string[]): Promise<void> {
  await waitUntil(
    async () => (await Promise.all(prefixes.map(keysBelow))).every((keys) => keys.length === 0),
    { what: `nothing to be left below ${prefixes.join()}`, timeoutMs: 60_000 },
  );
}

/** As if the expiry of a file had come. */
async function expire(fileId: FileId): Promise<void> {
  const { record } = fileKeys(projectId, fileId);
  const stored = await getJson<FileRecord>(store, record);
  await putJson(store, record, { ...stored?.value, expiresAt: nowSeconds - 1 });
  await agenda.put(nowSeconds - 1, projectId, fileId);
}

async function entriesDue(): Promise<string[]> {
  const keys = await keysBelow(agendaPrefix);
  const now = String(Math.floor(Date.now() / 1000)).padStart(12, '0');
  return keys.filter((key) => key.slice(agendaPrefix.length) <= now);
}

describe('sweeps', () => {
  it('remove an uploaded file that has expired, and no longer count it', async () => {
    const [kept, fileId] = [await uploadInput(), await uploadInput()];
    await expire(fileId);
    await untilGone(fileKeys(projectId, fileId).prefix, uploadedFileKey(projectId, fileId));
    expect(await keysBelow(fileKeys(projectId, kept).prefix)).toHaveLength(2);
    expect(await keysBelow(uploadedFileKey(projectId, kept))).toHaveLength(1);
  });

  it('leave the bytes of a deleted file to the batch that reads them, until it has ended', async () => {
    // Ten seconds at the simulated upstream's 64 requests at a time.
    const lines = chatLines(320, (index) => `[[slow:2000]] ${index}`);
    const batch = await createBatch(client, lines);
    const { prefix, content } = fileKeys(projectId, batch.input_file_id as FileId);
    await pollBatch(client, batch.id, {
      what: 'some answers',
      timeoutMs: 60_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
    });
    await client.files.delete(batch.input_file_id);
    const sweeps = await sweepsUntilNow();
    await waitUntil(async () => (await sweepsUntilNow()) > sweeps + 1, {
      what: 'two sweeps',
      timeoutMs: 60_000,
    });
    expect(await keysBelow(content)).toHaveLength(1);
    expect((await client.batches.retrieve(batch.id)).status).toBe('in_progress');

    const ended = await waitForEnd(client, batch.id);
    expect(await resultLines(client, ended.output_file_id)).toHaveLength(320);
    await untilGone(prefix);
  });

  it('remove result files that have expired, and a batch whose time is over', async () => {
    const batch = await waitForEnd(client, (await createBatch(client, chatLines(3))).id);
    const batchId = batch.id as BatchId;
    const outputId = batch.output_file_id as FileId;
    const { record } = batchKeys(projectId, batchId);
    await untilGone(openBatchKey(projectId, batchId));

    await expire(outputId);
    await untilGone(fileKeys(projectId, outputId).prefix);
    expect((await client.batches.retrieve(batchId)).output_file_id).toBe(outputId);

    const stored = await getJson<BatchRecord>(store, record);
    const oldId = makeBatchId((nowSeconds - 92 * day) * 1000, 'a'.repeat(20));
    const old = batchKeys(projectId, oldId);
    await putJson(store, old.record, {
      ...stored?.value,
      id: oldId,
      completedAt: nowSeconds - 91 * day,
    });
    await untilGone(old.prefix);
    await expect(client.batches.retrieve(oldId)).rejects.toMatchObject({ status: 404 });
    expect((await client.batches.retrieve(batchId)).status).toBe('completed');
  });

  it('remove what a dead API has left: content, and the markers of a batch that never started', async () => {
    const fileId = makeFileId((nowSeconds - 4 * day) * 1000, 'a'.repeat(20));
    const files = new FileStore(store);
    expect(await files.reserve(projectId, fileId, { filesMax: 100 })).toBe(true);
    await store.put(fileKeys(projectId, fileId).content, Buffer.from('half a request'));

    const batch = aNewBatch({
      id: makeBatchId((nowSeconds - 7_200) * 1000, 'b'.repeat(20)),
      inputFileId: makeFileId((nowSeconds - 7_200) * 1000, 'c'.repeat(20)),
    });
    const useKey = fileKeys(projectId, batch.inputFileId as FileId).use(batch.id);
    await new BatchStore(store).markOpen(batch);
    await store.put(useKey, new Uint8Array());

    await untilGone(
      fileKeys(projectId, fileId).content,
      uploadedFileKey(projectId, fileId),
      openBatchKey(projectId, batch.id),
      useKey,
    );
  });

  it('leave nothing on the agenda that is due', async () => {
    await waitUntil(async () => (await entriesDue()).length === 0, {
      what: 'an agenda with nothing due',
      timeoutMs: 60_000,
    });
    expect(await entriesDue()).toEqual([]);
  });
});

describe('the schedule', () => {
  it('is one of its kind, however many workers start at once, and follows the setting', async () => {
    const env = { LONGHAUL_SWEEP_INTERVAL_MS: '2000' };
    const workers = await Promise.all([1, 2, 3].map(async () => await stack().addWorker(env)));
    const schedules = await withTemporal(async (temporal) => {
      const found = [];
      for await (const { scheduleId } of temporal.schedule.list()) {
        found.push(scheduleId);
      }
      const { spec, policies } = await temporal.schedule
        .getHandle(scheduleId('longhaul', 'sweep'))
        .describe();
      return {
        found: found.sort(),
        every: spec.intervals?.map(({ every }) => every),
        overlap: policies.overlap,
      };
    });
    expect(schedules).toEqual({
      found: [scheduleId('longhaul', 'recovery'), scheduleId('longhaul', 'sweep')],
      every: [2_000],
      overlap: 'SKIP',
    });
    await Promise.all(
      workers.map(async (worker) => {
        await worker.stop();
      }),
    );
  });

  it('starts sweeps that all complete', async () => {
    const statuses = await withTemporal(async (temporal) => {
      const found = new Set<string>();
      for await (const { status } of temporal.workflow.list({
        query: `WorkflowType = 'sweepWorkflow' AND ExecutionStatus != 'Running'`,
      })) {
        found.add(status.name);
      }
      return found;
    });
    expect(statuses).toEqual(new Set(['COMPLETED']));
  });
});

async function sweepsUntilNow(): Promise<number> {
  return await withTemporal(async (temporal) => {
    const handle = temporal.schedule.getHandle(scheduleId('longhaul', 'sweep'));
    return (await handle.describe()).info.numActionsTaken;
  });
}

async function withTemporal<T>(work: (temporal: Client) => Promise<T>): Promise<T> {
  const { address, namespace } = stack().temporal;
  const connection = await Connection.connect({ address });
  try {
    return await work(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}
