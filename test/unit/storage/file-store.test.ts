import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { FileRecord } from '../../../src/domain/file';
import { makeBatchId, makeFileId } from '../../../src/domain/ids';
import { FileStore } from '../../../src/storage/file-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { keysBelow } from '../../support/faulty-object-store';

const now = 1_800_000_000;
const fileId = makeFileId(now * 1000, '0123456789abcdef0123');
const batchId = makeBatchId(now * 1000, '0123456789abcdef0123');
const user = { batchId, nowSeconds: now };
const file: FileRecord = {
  id: fileId,
  projectId: 'p',
  bytes: 5,
  createdAt: now,
  expiresAt: now + 60,
  filename: 'in.jsonl',
  purpose: 'batch',
};

async function storeWithFile(): Promise<FileStore> {
  const files = new FileStore(new MemoryObjectStore());
  await files.putContent('p', fileId, Readable.from([Buffer.from('bytes')]));
  await files.create(file);
  return files;
}

async function contentOf(files: FileStore): Promise<string | undefined> {
  const read = await files.openContent('p', fileId);
  return read && (await text(read));
}

describe('FileStore', () => {
  it('has a file from its record on, until it expires', async () => {
    const files = await storeWithFile();
    expect(await files.get('p', fileId, now)).toEqual(file);
    expect(await files.get('p', fileId, now + 60)).toBeUndefined();
  });

  it('deletes the bytes of a file that nobody uses', async () => {
    const files = await storeWithFile();
    await files.delete('p', fileId);

    expect(await files.get('p', fileId, now)).toBeUndefined();
    expect(await contentOf(files)).toBeUndefined();
  });

  it('keeps the bytes of a deleted file for the batch that uses it, and no longer', async () => {
    const files = await storeWithFile();
    expect(await files.use('p', fileId, user)).toBe(true);
    await files.delete('p', fileId);
    expect(await files.get('p', fileId, now)).toBeUndefined();
    expect(await contentOf(files)).toBe('bytes');

    await files.release('p', fileId, batchId);
    expect(await contentOf(files)).toBeUndefined();
  });

  it('does not let a batch use a file that is gone, and keeps no marker', async () => {
    const files = await storeWithFile();
    await files.delete('p', fileId);

    expect(await files.use('p', fileId, user)).toBe(false);
    expect(await files.getUsed('p', fileId, batchId)).toBeUndefined();
  });

  it('leaves the marker of a batch that an earlier attempt has begun', async () => {
    const files = await storeWithFile();
    expect(await files.use('p', fileId, user)).toBe(true);
    await files.delete('p', fileId);

    expect(await files.use('p', fileId, user)).toBe(false);
    expect(await files.getUsed('p', fileId, batchId)).toMatchObject(file);
    await files.sweep('p', { fileId, isDeleted: true }, now);
    expect(await contentOf(files)).toBe('bytes');
  });

  it('never takes the bytes from a batch that was told it may use them', async () => {
    for (let round = 0; round < 50; round += 1) {
      const files = await storeWithFile();
      const [mayUse] = await Promise.all([files.use('p', fileId, user), files.delete('p', fileId)]);
      expect((await contentOf(files)) === 'bytes' || !mayUse).toBe(true);
    }
  });
});

describe('a file that is announced', () => {
  const dayAfterOrphaned = now + 4 * 86_400;

  async function announced(): Promise<{ files: FileStore; store: MemoryObjectStore }> {
    const store = new MemoryObjectStore();
    const files = new FileStore(store);
    expect(await files.reserve('p', fileId, { filesMax: 1 })).toBe(true);
    await files.announce(file);
    await files.putContent('p', fileId, Readable.from([Buffer.from('bytes')]));
    return { files, store };
  }

  it('does not exist, to nobody, until it is published', async () => {
    const { files } = await announced();
    expect(await files.get('p', fileId, now)).toBeUndefined();
    expect(await files.use('p', fileId, user)).toBe(false);

    expect(await files.publish(file)).toBe(true);
    expect(await files.get('p', fileId, now)).toEqual(file);
    expect(await files.publish(file)).toBe(true);
  });

  it('is not brought back by whoever publishes it after it was deleted', async () => {
    const { files, store } = await announced();
    await files.publish(file);
    await files.delete('p', fileId);

    expect(await files.publish(file)).toBe(false);
    expect(await files.get('p', fileId, now)).toBeUndefined();
    expect(await keysBelow(store, 'projects/p/files/')).toEqual([]);
  });

  it('keeps the bytes for the batch that uses it when it is published again', async () => {
    const { files } = await announced();
    await files.publish(file);
    await files.use('p', fileId, user);
    await files.delete('p', fileId);

    expect(await files.publish(file)).toBe(false);
    expect(await contentOf(files)).toBe('bytes');
  });

  it('goes when nobody has published it', async () => {
    const { files, store } = await announced();
    expect(await files.sweep('p', { fileId, isDeleted: false }, dayAfterOrphaned)).toBe(true);
    expect(await keysBelow(store, 'projects/')).toEqual([]);
    expect(await files.publish(file)).toBe(false);
  });

  it('goes when it is given up', async () => {
    const { files, store } = await announced();
    await files.discardContent('p', fileId);
    expect(await keysBelow(store, '')).toEqual([]);
  });
});
