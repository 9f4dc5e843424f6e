/**
 * Files on the object store: content, record, tombstone and the markers of the batches that read it.
 *
 * A file exists when it has a record and no tombstone. Its bytes may go when it has a tombstone and
 * no marker. The two orders that make that safe: a batch puts its marker *before* it looks for a
 * tombstone, a delete puts the tombstone *before* it looks for markers; so of two that race at least
 * one sees the other.
 */
import type { Readable } from 'node:stream';
import type { FileRecord } from '../domain/file';
import { isExpired } from '../domain/file';
import type { BatchId, FileId, ProjectId } from '../domain/ids';
import { isFileId } from '../domain/ids';
import { fileKeys, filesPrefix } from '../domain/object-keys';
import { getJson, putJson } from './json-object';
import { listIds } from './list-ids';
import {
  StoreFault,
  type ByteRange,
  type ListPage,
  type ObjectInfo,
  type ObjectStore,
} from './object-store';

export class FileStore {
  constructor(private readonly store: ObjectStore) {}

  /** Stores the content of a file that has no record yet, and so does not exist yet. */
  async putContent(projectId: ProjectId, fileId: FileId, source: Readable): Promise<ObjectInfo> {
    return await this.store.putStream(fileKeys(projectId, fileId).content, source);
  }

  /** Makes a file exist; its content is complete by then. Repeating it changes nothing. */
  async create(file: FileRecord): Promise<void> {
    await putJson(this.store, fileKeys(file.projectId, file.id).record, file, { ifAbsent: true });
  }

  /** The file, unless it is deleted or expired. */
  async get(
    projectId: ProjectId,
    fileId: FileId,
    nowSeconds: number,
  ): Promise<FileRecord | undefined> {
    const keys = fileKeys(projectId, fileId);
    const [record, tombstone] = await Promise.all([
      getJson<FileRecord>(this.store, keys.record),
      this.store.head(keys.tombstone),
    ]);
    return record === undefined || tombstone !== undefined || isExpired(record.value, nowSeconds)
      ? undefined
      : record.value;
  }

  /** The bytes of a file, also of a deleted one that a batch still uses. */
  async openContent(
    projectId: ProjectId,
    fileId: FileId,
    range?: ByteRange,
  ): Promise<Readable | undefined> {
    return await this.store.openRead(fileKeys(projectId, fileId).content, range);
  }

  /** Ids of a project's files, newest first; deleted ones are among them until they are swept. */
  async list(
    projectId: ProjectId,
    options: { readonly after?: FileId; readonly limit: number },
  ): Promise<ListPage<FileId>> {
    return await listIds(this.store, filesPrefix(projectId), isFileId, options);
  }

  /**
   * Deletes a file; its bytes go at once, or when the last batch that uses it has ended.
   *
   * With the tombstone the file is gone. A store that does not remove the bytes now — MinIO waits
   * for whoever reads them — does not undo that: they stay, unseen.
   */
  async delete(projectId: ProjectId, fileId: FileId): Promise<void> {
    await this.store.put(fileKeys(projectId, fileId).tombstone, new Uint8Array());
    try {
      await this.removeIfUnused(projectId, fileId);
    } catch (error) {
      if (!(error instanceof StoreFault)) {
        throw error;
      }
    }
  }

  /** Removes content that never became a file. */
  async discardContent(projectId: ProjectId, fileId: FileId): Promise<void> {
    await this.store.delete([fileKeys(projectId, fileId).content]);
  }

  /**
   * Marks a file as used by a batch, so that its bytes stay until {@link release}.
   *
   * @returns whether the file exists; if not, no marker is left.
   */
  async use(
    projectId: ProjectId,
    fileId: FileId,
    user: { readonly batchId: BatchId; readonly nowSeconds: number },
  ): Promise<boolean> {
    const key = fileKeys(projectId, fileId).use(user.batchId);
    await this.store.put(key, new Uint8Array());
    if ((await this.get(projectId, fileId, user.nowSeconds)) !== undefined) {
      return true;
    }
    await this.store.delete([key]);
    return false;
  }

  /** The record of a file that a batch has marked, deleted meanwhile or not. */
  async getUsed(
    projectId: ProjectId,
    fileId: FileId,
    batchId: BatchId,
  ): Promise<FileRecord | undefined> {
    const keys = fileKeys(projectId, fileId);
    const marker = await this.store.head(keys.use(batchId));
    return marker && (await getJson<FileRecord>(this.store, keys.record))?.value;
  }

  /** Takes a batch's marker away; the bytes of a deleted file go with the last one. */
  async release(projectId: ProjectId, fileId: FileId, batchId: BatchId): Promise<void> {
    const keys = fileKeys(projectId, fileId);
    await this.store.delete([keys.use(batchId)]);
    if ((await this.store.head(keys.tombstone)) !== undefined) {
      await this.removeIfUnused(projectId, fileId);
    }
  }

  /** The tombstone stays, so that a batch that is just being created cannot use the file. */
  private async removeIfUnused(projectId: ProjectId, fileId: FileId): Promise<void> {
    const keys = fileKeys(projectId, fileId);
    const uses = await this.store.list(keys.usesPrefix, { limit: 1 });
    if (uses.items.length === 0) {
      await this.store.delete([keys.record, keys.content]);
    }
  }
}
