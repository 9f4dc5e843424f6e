import type { FileRecord } from '../../../src/domain/file';
import { makeBatchId, makeUploadId, type FileId, type ProjectId } from '../../../src/domain/ids';
import {
  agendaPrefix,
  batchesPrefix,
  batchKeys,
  createdBatchKey,
  fileKeys,
  openBatchKey,
  openBatchesPrefix,
} from '../../../src/domain/object-keys';
import type { BatchRef, SweepResult } from '../../../src/domain/workflow-contract';
import { ActivityWorld, createBatch, endBatch } from '../../support/activity-world';
import { aBatch, aBatchId, aFileId, aNewBatch, projectId, startedAt } from '../../support/batches';
import { FaultyObjectStore, keysBelow } from '../../support/faulty-object-store';

const day = 86_400;
const inputId = aFileId(1);

let world: ActivityWorld;

beforeEach(() => {
  world = new ActivityWorld();
});

async function sweepAt(seconds: number): Promise<SweepResult> {
  world.nowMs = seconds * 1000;
  return await world.run(async (control) => await control.sweep());
}

async function agenda(): Promise<string[]> {
  return await keysBelow(world.store, agendaPrefix);
}

async function filesOf(fileId: FileId): Promise<string[]> {
  return await keysBelow(world.store, fileKeys(projectId, fileId).prefix);
}

async function createFile(fileId: FileId, expiresAt: number | null): Promise<FileRecord> {
  const file: FileRecord = {
    id: fileId,
    projectId,
    bytes: 5,
    createdAt: startedAt,
    expiresAt,
    filename: 'in.jsonl',
    purpose: 'batch',
  };
  await world.store.put(fileKeys(projectId, fileId).content, Buffer.from('bytes'));
  await world.deps.files.create(file);
  return file;
}

/** As the workflow leaves a batch: ended at 30 seconds, its working state removed. */
async function createEndedBatch(): Promise<BatchRef> {
  const ref = await createBatch(world, 'no request\n');
  await world.run(async (control) => await control.validateAndPlan(ref));
  await endBatch(world, ref, 'failed');
  await world.run(async (control) => {
    await control.cleanUp(ref);
  });
  return ref;
}

describe('files', () => {
  it('go when they have expired, and not before', async () => {
    await createFile(aFileId(1), startedAt + 60);
    await createFile(aFileId(2), startedAt + 120);
    await createFile(aFileId(3), null);

    expect(await sweepAt(startedAt + 60)).toEqual({ done: 1, later: 0, failed: 0 });
    expect(await filesOf(aFileId(1))).toEqual([]);
    expect(await filesOf(aFileId(2))).toHaveLength(2);
    await sweepAt(startedAt + 1_000 * day);
    expect(await filesOf(aFileId(2))).toEqual([]);
    expect(await filesOf(aFileId(3))).toHaveLength(2);
    expect(await agenda()).toEqual([]);
  });

  it('stay for the batch that reads them', async () => {
    const user = { batchId: aBatchId(1), nowSeconds: startedAt };
    await createFile(inputId, startedAt + 60);
    await world.deps.files.use(projectId, inputId, user);
    world.workflows.states.set(user.batchId, 'running');

    expect(await sweepAt(startedAt + 3 * day)).toEqual({ done: 0, later: 1, failed: 0 });
    expect(await filesOf(inputId)).toContain(fileKeys(projectId, inputId).content);
    await world.deps.files.release(projectId, inputId, user.batchId);
    expect(await filesOf(inputId)).toEqual([]);
    expect(await sweepAt(startedAt + 3 * day)).toEqual({ done: 1, later: 0, failed: 0 });
  });

  it('do not stay for a batch that never came to be', async () => {
    await createFile(inputId, null);
    await world.deps.files.use(projectId, inputId, { batchId: aBatchId(1), nowSeconds: startedAt });
    await world.deps.files.delete(projectId, inputId);

    await sweepAt(startedAt + 2 * day);
    expect(await filesOf(inputId)).toHaveLength(3);
    await sweepAt(startedAt + 2 * day + 1);
    expect(await filesOf(inputId)).toEqual([]);
    await sweepAt(startedAt + 2 * day + 1);
    expect(await agenda()).toEqual([]);
  });

  it('that cannot be removed now are left for the next sweep, and keep no others waiting', async () => {
    await createFile(aFileId(1), startedAt + 60);
    await createFile(aFileId(2), startedAt + 60);
    const { record } = fileKeys(projectId, aFileId(2));
    world.store.fateOf = ({ name, key }) => (name === 'get' && key === record ? 'fails' : 'works');

    expect(await sweepAt(startedAt + 60)).toEqual({ done: 1, later: 0, failed: 1 });
    world.store.fateOf = () => 'works';
    expect(await sweepAt(startedAt + 60)).toEqual({ done: 1, later: 0, failed: 0 });
    expect(await keysBelow(world.store, '')).toEqual([]);
  });
});

describe('batches', () => {
  it('go with all they have when their time is over', async () => {
    const ref = await createEndedBatch();
    const { prefix, record } = batchKeys(projectId, ref.batchId);
    await sweepAt(startedAt + 91 * day - 1);
    expect(await keysBelow(world.store, prefix)).toContain(record);
    expect(await sweepAt(startedAt + 91 * day)).toEqual({ done: 1, later: 0, failed: 0 });
    expect(await keysBelow(world.store, prefix)).toEqual([]);
    expect(await filesOf(inputId)).toHaveLength(2);
  });

  it('take with them what somebody has written for a result file after its time', async () => {
    await createEndedBatch();
    const { output, error } = aNewBatch().resultFileIds;
    await world.store.put(fileKeys(projectId, output).content, Buffer.from('late'));
    await createFile(error, null);

    await sweepAt(startedAt + 91 * day);
    expect(await filesOf(output)).toEqual([]);
    expect(await filesOf(error)).toHaveLength(2);
  });

  it('that have not ended stay, however old, and so do those that are being created', async () => {
    const old = await createBatch(world, 'no request\n');
    const creating: BatchRef = { projectId, batchId: makeBatchId(1, 'c'.repeat(20)) };
    await world.store.put(openBatchKey(projectId, creating.batchId), Buffer.from('{}'));
    for (const { batchId } of [old, creating]) {
      await world.store.put(batchKeys(projectId, batchId).end, Buffer.from('decided'));
    }
    world.workflows.states.set(creating.batchId, 'running');
    await sweepAt(startedAt + 91 * day);
    for (const { batchId } of [old, creating]) {
      expect(await world.store.head(batchKeys(projectId, batchId).end)).toBeDefined();
    }
  });

  it('that ended long ago stay until their working state is removed', async () => {
    const ref = await createEndedBatch();
    const key = openBatchKey(projectId, ref.batchId);
    await world.store.put(key, Buffer.from('{}'));
    await sweepAt(startedAt + 92 * day);
    expect(await world.deps.batches.get(ref)).toBeDefined();
    await world.store.delete([key]);
    await sweepAt(startedAt + 92 * day);
    expect(await world.deps.batches.get(ref)).toBeUndefined();
  });

  it('that ended late are looked at, and stay for as long as others', async () => {
    const ref: BatchRef = { projectId, batchId: makeBatchId(startedAt * 1000, 'f'.repeat(20)) };
    const { record } = batchKeys(projectId, ref.batchId);
    const endedAt = startedAt + 7 * day;
    const batch = aBatch({ id: ref.batchId, status: 'expired', expiredAt: endedAt });
    await world.store.put(record, Buffer.from(JSON.stringify(batch)));
    await sweepAt(endedAt + 90 * day - 1);
    expect(await world.store.head(record)).toBeDefined();
    await sweepAt(endedAt + 90 * day);
    expect(await world.store.head(record)).toBeUndefined();
  });

  it('that older versions put on the agenda stay until they are old', async () => {
    const ref = await createEndedBatch();
    await world.deps.agenda.put(startedAt + 60, projectId, ref.batchId);
    await sweepAt(startedAt + 60);
    expect(await agenda()).toEqual([]);
    expect(await world.deps.batches.get(ref)).toBeDefined();
  });

  it('of which only a rest is there go', async () => {
    const ref: BatchRef = { projectId, batchId: makeBatchId(startedAt * 1000, 'd'.repeat(20)) };
    await world.store.put(batchKeys(projectId, ref.batchId).end, Buffer.from('decided'));
    await sweepAt(startedAt + 91 * day - 1);
    expect(await keysBelow(world.store, batchKeys(projectId, ref.batchId).prefix)).toHaveLength(1);
    await sweepAt(startedAt + 91 * day);
    expect(await keysBelow(world.store, batchKeys(projectId, ref.batchId).prefix)).toEqual([]);
  });

  it('go however many there are, past those that stay', async () => {
    const batches = Array.from({ length: 2_003 }, (_, at) =>
      aBatch({
        id: makeBatchId(startedAt * 1000 + at, 'e'.repeat(20)),
        ...(at % 1_000 !== 0 && { status: 'failed', failedAt: startedAt }),
      }),
    );
    for (const batch of batches) {
      const { record } = batchKeys(projectId, batch.id);
      await world.store.put(record, Buffer.from(JSON.stringify(batch)));
    }
    expect(await sweepAt(startedAt + 92 * day)).toEqual({ done: 2_000, later: 0, failed: 0 });
    expect(await keysBelow(world.store, batchesPrefix(projectId))).toHaveLength(3);
  });

  it('are kept for as long as the setting says now', async () => {
    const ref = await createEndedBatch();
    const patient = new ActivityWorld(world.store, { settings: { batchRetentionDays: 100 } });
    patient.nowMs = (startedAt + 91 * day) * 1000;
    await patient.run(async (control) => await control.sweep());
    expect(await world.deps.batches.get(ref)).toBeDefined();
    patient.nowMs = (startedAt + 101 * day) * 1000;
    await patient.run(async (control) => await control.sweep());
    expect(await world.deps.batches.get(ref)).toBeUndefined();
  });

  it('go whole, wherever a sweep is cut off', async () => {
    const calls = await callsOfRemoval('works');
    expect(calls).toBeGreaterThan(5);
    for (let cutAt = 0; cutAt < calls; cutAt += 1) {
      world = new ActivityWorld();
      await callsOfRemoval('fails', cutAt);
      world.store.fateOf = () => 'works';
      await sweepAt(startedAt + 91 * day);
      expect(await keysBelow(world.store, batchKeys(projectId, aBatchId()).prefix)).toEqual([]);
      expect(await agenda()).toEqual([]);
    }
  });

  /** Of a sweep whose calls end as told from one of them on. */
  async function callsOfRemoval(fate: 'works' | 'fails', from = 0): Promise<number> {
    await createEndedBatch();
    const before = world.store.calls.length;
    world.store.fateOf = () => (world.store.calls.length - before > from ? fate : 'works');
    await sweepAt(startedAt + 91 * day).catch(() => undefined);
    return world.store.calls.length - before;
  }
});

describe('uploads and creates', () => {
  it('of uploads nothing is left when they have had their time', async () => {
    const id = makeUploadId(startedAt * 1000, '0'.repeat(20));
    const upload = {
      id,
      projectId,
      status: 'pending',
      bytes: 5,
      createdAt: startedAt,
      expiresAt: startedAt + 3_600,
      filename: 'in.jsonl',
      purpose: 'batch',
      fileExpiresAfterSeconds: null,
      completion: null,
    } as const;
    await world.deps.agenda.put(startedAt + 7_200, projectId, id);
    await world.deps.uploads.create(upload);
    await sweepAt(startedAt + 7_199);
    expect(await world.deps.uploads.get({ projectId, uploadId: id })).toEqual(upload);
    await sweepAt(startedAt + 7_200);
    expect(await keysBelow(world.store, '')).toEqual([]);
  });

  it('a name may be used again after a day, and then holds for a day', async () => {
    const name = 'ab'.repeat(32);
    const key = createdBatchKey(projectId, name);
    const at = async (seconds: number): Promise<void> => {
      const batch = aNewBatch({ createdAt: startedAt + seconds });
      await world.deps.createdBatches.fix(projectId, name, { requestHash: 'cd', batch });
    };
    await at(0);
    await at(day / 2);
    await sweepAt(startedAt + day);
    expect(await world.store.head(key)).toBeUndefined();

    await at(day + 60);
    await sweepAt(startedAt + 1.5 * day);
    expect(await world.store.head(key)).toBeDefined();
    await sweepAt(startedAt + 2 * day + 60);
    expect(await keysBelow(world.store, '')).toEqual([]);
  });

  it('an attempt without a name may be repeated for an hour', async () => {
    const requestHash = 'ab'.repeat(32);
    const attempt = { repeat: 0, at: startedAt, token: 'token' };
    const leave = async (project: ProjectId, seconds: number): Promise<void> => {
      const id = makeBatchId((startedAt + seconds) * 1000, '0'.repeat(20));
      const batch = aNewBatch({ id, projectId: project });
      await world.deps.createdBatches.leave(project, requestHash, { batch, ...attempt });
    };
    await leave(projectId, 0);
    await leave(projectId, 60);
    await leave('other', 0);
    await sweepAt(startedAt + 3_599);
    expect(await keysBelow(world.store, 'projects/')).toHaveLength(3);
    await sweepAt(startedAt + 3_600);
    expect(await keysBelow(world.store, 'projects/')).toHaveLength(1);
    await sweepAt(startedAt + 3_660);
    expect(await keysBelow(world.store, '')).toEqual([]);
  });

  it('keeps what it does not know for a day, for a worker that does', async () => {
    await world.deps.agenda.put(startedAt, projectId, 'mystery');
    expect(await sweepAt(startedAt + day)).toEqual({ done: 0, later: 1, failed: 0 });
    expect(await sweepAt(startedAt + day + 1)).toEqual({ done: 1, later: 0, failed: 0 });
    expect(await agenda()).toEqual([]);
  });
});

describe('markers of batches that are not open', () => {
  const hour = 3_600;
  const batch = aNewBatch({ inputFileId: inputId });
  const ref = { projectId, batchId: batch.id };
  const openKey = openBatchKey(projectId, batch.id);

  async function mark(): Promise<void> {
    await world.deps.batches.markOpen(batch);
    await world.store.put(fileKeys(projectId, inputId).use(batch.id), new Uint8Array());
  }

  it('go with that of the missing file when the API died before it started the batch', async () => {
    await mark();
    await sweepAt(startedAt + hour);
    expect(await keysBelow(world.store, '')).toHaveLength(2);
    await sweepAt(startedAt + hour + 1);
    expect(await keysBelow(world.store, '')).toEqual([]);
  });

  it('leave the file marked while it exists: a repeat may be about to start the batch', async () => {
    await createFile(inputId, null);
    await mark();
    await sweepAt(startedAt + hour + 1);
    expect(await keysBelow(world.store, openBatchesPrefix)).toEqual([]);
    expect(await world.deps.files.users(projectId, inputId)).toEqual([batch.id]);
  });

  it('stay when Temporal knows the batch, or does not answer', async () => {
    await mark();
    world.workflows.states.set(batch.id, 'running');
    expect((await sweepAt(startedAt + 2 * hour)).failed).toBe(0);
    expect(await world.store.head(openKey)).toBeDefined();

    world.workflows.before = () => {
      throw new Error('no answer');
    };
    expect((await sweepAt(startedAt + 2 * hour)).failed).toBe(1);
    expect(await world.store.head(openKey)).toBeDefined();
  });

  it('come back when the batch is started while they are removed', async () => {
    await mark();
    let looks = 0;
    world.workflows.before = () => {
      looks += 1;
      if (looks === 2) {
        world.workflows.states.set(batch.id, 'running');
      }
    };
    const marker = await world.store.get(openKey);
    await sweepAt(startedAt + 2 * hour);
    expect(await world.store.get(openKey)).toEqual(marker);
    expect(await world.deps.files.users(projectId, inputId)).toEqual([batch.id]);
  });

  it('stay when there is a batch: whether it runs is for the recovery to see', async () => {
    await createBatch(world, 'no request\n', { batch });
    await world.run(async (control) => await control.validateAndPlan(ref));
    await sweepAt(startedAt + 2 * hour);
    expect(await world.store.head(openKey)).toBeDefined();
    expect(await world.deps.files.users(projectId, inputId)).toEqual([batch.id]);
  });
});

it('goes on where more entries are due than one call lists', async () => {
  world = new ActivityWorld(new FaultyObjectStore());
  for (let number = 0; number < 1_005; number += 1) {
    await world.deps.agenda.put(startedAt, projectId, aFileId(number));
  }
  expect(await sweepAt(startedAt)).toEqual({ done: 1_005, later: 0, failed: 0 });
  expect(await agenda()).toEqual([]);
});
