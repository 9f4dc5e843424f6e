/** Whoever dies when: bytes stay for a batch that reads them, and nothing stays for nobody. */
import { Readable } from 'node:stream';
import fc from 'fast-check';
import type { FileRecord } from '../../../src/domain/file';
import type { FileId } from '../../../src/domain/ids';
import { fileKeys, uploadedFileKey, uploadedFilesPrefix } from '../../../src/domain/object-keys';
import { Agenda } from '../../../src/storage/agenda';
import { BatchStore } from '../../../src/storage/batch-store';
import { FileStore, parseFileSubject } from '../../../src/storage/file-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import type { ObjectStore } from '../../../src/storage/object-store';
import { ActivityWorld } from '../../support/activity-world';
import { aBatchId, aFileId, aNewBatch, projectId, startedAt } from '../../support/batches';
import { FaultyObjectStore, keysBelow } from '../../support/faulty-object-store';
import {
  checkInterleaving,
  exploreInterleavings,
  type Process,
  type Scenario,
} from '../../support/interleavings';

const fileId = aFileId(1);
const bystanderId = aFileId(2);
const expiresAt = startedAt + 5 * 86_400;
const yearLater = startedAt + 365 * 86_400;

function fileOf(id: FileId, options: { readonly expiresAt: number | null }): FileRecord {
  const fixed = { bytes: 5, createdAt: startedAt, filename: 'in.jsonl', purpose: 'batch' } as const;
  return { id, projectId, ...fixed, ...options };
}

async function upload(store: ObjectStore, file: FileRecord, filesMax = 10): Promise<boolean> {
  const files = new FileStore(store);
  if (!(await files.reserve(projectId, file.id, { filesMax }))) {
    return false;
  }
  await files.putContent(projectId, file.id, Readable.from([Buffer.from('bytes')]));
  await files.create(file);
  return true;
}

/** What has to hold at every moment, and what has been promised. */
class Witness {
  readonly memory = new MemoryObjectStore();
  /** Batches that were told that the file exists, and still read it. */
  readonly readers = new Set<number>();
  wasDeleted = false;

  batch(number: number): Process {
    return async (store) => {
      const batch = aNewBatch({ id: aBatchId(number), inputFileId: fileId });
      const [files, batches] = [new FileStore(store), new BatchStore(store)];
      await batches.markOpen(batch);
      if (await files.use(projectId, fileId, { batchId: batch.id, nowSeconds: expiresAt - 1 })) {
        this.readers.add(number);
        // The batch reads the file for as long as the next call is not made.
        await store.head(fileKeys(projectId, fileId).record);
        this.readers.delete(number);
        await files.release(projectId, fileId, batch.id);
      }
      await batches.close({ projectId, batchId: batch.id });
    };
  }

  readonly delete: Process = async (store) => {
    await new FileStore(store).delete(projectId, fileId);
    this.wasDeleted = true;
  };

  /** What a worker does about the files that are due. */
  sweep(nowSeconds: number): Process {
    return async (store) => {
      const agenda = new Agenda(store);
      for await (const entry of agenda.due(nowSeconds)) {
        const file = parseFileSubject(entry.subject);
        if (file && (await new FileStore(store).sweep(projectId, file, nowSeconds))) {
          await agenda.remove(entry);
        }
      }
    };
  }
}

/** The bytes are there for those who read them. */
async function checkBytes({ memory, readers }: Witness): Promise<void> {
  const bytes = await keysBelow(memory, fileKeys(projectId, fileId).content);
  expect(bytes.length + (readers.size === 0 ? 1 : 0)).toBeGreaterThan(0);
}

/** What is left when all are dead and sweepers have come by, beside the other file. */
async function keysAfterSweeps({ memory }: Witness): Promise<string[]> {
  const world = new ActivityWorld(new FaultyObjectStore(undefined, memory));
  world.nowMs = yearLater * 1000;
  for (let sweep = 0; sweep < 3; sweep += 1) {
    expect((await world.run(async (control) => await control.sweep())).failed).toBe(0);
  }
  expect(await keysBelow(memory, fileKeys(projectId, bystanderId).prefix)).toHaveLength(2);
  const keys = await keysBelow(memory, '');
  return keys.filter((key) => !key.includes(bystanderId));
}

interface Race {
  readonly race: string;
  readonly file: FileRecord;
  readonly processesOf: (witness: Witness) => readonly Process[];
}

async function setUp({ file, processesOf }: Race): Promise<Scenario> {
  const witness = new Witness();
  const { memory } = witness;
  await upload(memory, fileOf(bystanderId, { expiresAt: null }));
  await upload(memory, file);
  // Nobody counts on the entry of the upload: it is gone by now.
  await witness.sweep(expiresAt - 1)(memory);
  const check = async (): Promise<void> => {
    await checkBytes(witness);
    const left = await keysAfterSweeps(witness);
    if (file.expiresAt === null && !witness.wasDeleted && left.length > 0) {
      // Nobody has come so far as to delete it: then it is whole.
      const { usesPrefix } = fileKeys(projectId, fileId);
      expect(left.filter((key) => !key.startsWith(usesPrefix))).toEqual(wholeFile);
    } else {
      expect(left).toEqual([]);
    }
  };
  return { memory, processes: processesOf(witness), check };
}

const kept = fileOf(fileId, { expiresAt: null });
const expiring = fileOf(fileId, { expiresAt });
const { record, content } = fileKeys(projectId, fileId);
const wholeFile = [content, record, uploadedFileKey(projectId, fileId)];

describe('files, whoever dies when', () => {
  it.each<Race>([
    {
      race: 'a batch and a delete',
      file: kept,
      processesOf: (witness) => [witness.batch(1), witness.delete],
    },
    {
      race: 'a batch whose clock is behind and the sweep of an expired file',
      file: expiring,
      processesOf: (witness) => [witness.batch(1), witness.sweep(expiresAt)],
    },
    {
      race: 'two deletes',
      file: kept,
      processesOf: (witness) => [witness.delete, witness.delete],
    },
    {
      race: 'a delete and the sweep of what it has begun',
      file: kept,
      processesOf: (witness) => [witness.delete, witness.sweep(startedAt)],
    },
  ])('$race, in every order', async (race) => {
    expect(await exploreInterleavings(async () => await setUp(race))).toBeGreaterThan(100);
  });

  // All orders, up to 63,514 states for one race, take minutes.
  it.each<Race>([
    {
      race: 'a batch, a delete and the sweep of an expired file',
      file: expiring,
      processesOf: (witness) => [witness.batch(1), witness.delete, witness.sweep(expiresAt)],
    },
    {
      race: 'two deletes and a sweep',
      file: kept,
      processesOf: (witness) => [witness.delete, witness.delete, witness.sweep(startedAt)],
    },
    {
      race: 'two batches and a delete',
      file: kept,
      processesOf: (witness) => [witness.batch(1), witness.batch(2), witness.delete],
    },
  ])('$race, in many orders', async (race) => {
    const schedules = fc.array(fc.nat({ max: 2 }), { maxLength: 40, size: 'max' });
    const property = fc.asyncProperty(schedules, async (schedule) => {
      await checkInterleaving(await setUp(race), schedule);
    });
    await expect(fc.assert(property, { numRuns: 300 })).resolves.toBeUndefined();
  });

  it('an upload that dies leaves nothing, one that has ended leaves a file', async () => {
    const states = await exploreInterleavings(async () => {
      const witness = new Witness();
      const { memory } = witness;
      await upload(memory, fileOf(bystanderId, { expiresAt: null }));
      let hasEnded = false;
      const process: Process = async (store) => {
        hasEnded = await upload(store, kept);
      };
      const check = async (): Promise<void> => {
        const left = await keysAfterSweeps(witness);
        expect(left).toEqual(hasEnded ? wholeFile : []);
      };
      return { memory, processes: [process], check };
    });
    expect(states).toBeGreaterThan(5);
  });

  it('of uploads that race for the last place, at most one gets it', async () => {
    const results = new Set<string>();
    const states = await exploreInterleavings(async () => {
      const memory = new MemoryObjectStore();
      await upload(memory, fileOf(bystanderId, { expiresAt: null }));
      const taken: (boolean | undefined)[] = [undefined, undefined];
      const processes = [aFileId(3), aFileId(4)].map((id, index): Process => {
        return async (store) => {
          taken[index] = await upload(store, fileOf(id, { expiresAt }), 2);
        };
      });
      const check = async (): Promise<void> => {
        expect(taken.filter((isTaken) => isTaken === true).length).toBeLessThan(2);
        if (!taken.includes(undefined)) {
          const counted = await keysBelow(memory, uploadedFilesPrefix(projectId));
          results.add(`${taken.join()}: ${counted.length}`);
        }
      };
      return { memory, processes, check };
    });
    expect(states).toBeGreaterThan(50);
    expect([...results].sort()).toEqual(['false,false: 1', 'false,true: 2', 'true,false: 2']);
  });
});
