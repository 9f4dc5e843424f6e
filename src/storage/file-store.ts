/**
 * Files on the object store: content, record, and the markers of the batches that read it.
 *
 * A file exists from its record on, until the record says that it is deleted: one compare-and-swap
 * that all see or none. Its bytes may go when it is deleted and has no marker. The two orders that
 * make that safe: a batch puts its marker *before* it reads the record, a delete changes the record
 * *before* it looks for markers; so of two that race at least one sees the other. An expired file is
 * deleted in the same way before its bytes go, because clocks differ.
 *
 * Nothing is left behind, whoever dies when: before content there is an entry in the agenda, before
 * a record with an expiry another, before a delete a third. An entry goes after what it is about,
 * and nobody can bring back a record that is gone: ids are never used twice.
 */
import type { Readable } from 'node:stream';
import type { FileRecord } from '../domain/file';
import { isExpired } from '../domain/file';
import type { BatchId, FileId, ProjectId } from '../domain/ids';
import { isBatchId, isFileId, madeAtMs } from '../domain/ids';
import { contentOrphanedAfterSeconds } from '../domain/limits';
import {
  agendaKey,
  fileKeys,
  filesPrefix,
  uploadedFileKey,
  uploadedFilesPrefix,
} from '../domain/object-keys';
import { Agenda, atOnce } from './agenda';
import { getJson, putJson } from './json-object';
import { listIds } from './list-ids';
import {
  StoreFault,
  type ByteRange,
  type ListPage,
  type ObjectInfo,
  type ObjectStore,
} from './object-store';

/** What is in the store: the record, and why the file does not exist. */
interface StoredFile extends FileRecord {
  readonly isAnnounced?: true;
  readonly isDeleted?: true;
}

/** What the agenda calls a file that is to be deleted, whatever its record says. */
const deletedFilePrefix = 'delete:';

export class FileStore {
  private readonly agenda: Agenda;

  constructor(private readonly store: ObjectStore) {
    this.agenda = new Agenda(store);
  }

  /**
   * Counts a file that is about to be uploaded against its project's limit. Comes before the first
   * byte: what an upload that dies leaves behind is removed some days later.
   *
   * @returns false, and nothing is left, when the project has `filesMax` files already. Of two that
   *   race for the last place both may be refused.
   */
  async reserve(
    projectId: ProjectId,
    fileId: FileId,
    limit: { readonly filesMax: number },
  ): Promise<boolean> {
    await this.agenda.put(orphanedAt(fileId), projectId, fileId);
    await this.store.put(uploadedFileKey(projectId, fileId), new Uint8Array());
    const uploaded = await this.store.list(uploadedFilesPrefix(projectId), {
      limit: limit.filesMax + 1,
    });
    if (uploaded.items.length <= limit.filesMax) {
      return true;
    }
    await this.discardContent(projectId, fileId);
    return false;
  }

  /** Stores the content of a file that has no record yet, and so does not exist yet. */
  async putContent(projectId: ProjectId, fileId: FileId, source: Readable): Promise<ObjectInfo> {
    return await this.store.putStream(fileKeys(projectId, fileId).content, source);
  }

  /** Makes a file exist; its content is complete by then. Repeating it changes nothing. */
  async create(file: FileRecord): Promise<void> {
    await this.remindOfExpiry(file);
    await putJson(this.store, fileKeys(file.projectId, file.id).record, file, { ifAbsent: true });
  }

  /**
   * Says that a file will be made, perhaps by several at once. It does not exist before
   * {@link publish}, and whoever comes late can tell one that is deleted from one that is not made.
   */
  async announce(file: FileRecord): Promise<void> {
    const announced: StoredFile = { ...file, isAnnounced: true };
    const key = fileKeys(file.projectId, file.id).record;
    await putJson(this.store, key, announced, { ifAbsent: true });
  }

  /**
   * Makes an announced file exist; its content is complete by then. Repeating it changes nothing.
   *
   * @returns false when somebody else has, and it is deleted already.
   */
  async publish(file: FileRecord): Promise<boolean> {
    await this.remindOfExpiry(file);
    const key = fileKeys(file.projectId, file.id).record;
    for (;;) {
      const stored = await getJson<StoredFile>(this.store, key);
      if (stored === undefined || stored.value.isDeleted === true) {
        return false;
      }
      if (
        stored.value.isAnnounced !== true ||
        (await putJson(this.store, key, file, { ifEtag: stored.etag })) !== undefined
      ) {
        return true;
      }
    }
  }

  /** The file, unless it is deleted or expired. */
  async get(
    projectId: ProjectId,
    fileId: FileId,
    nowSeconds: number,
  ): Promise<FileRecord | undefined> {
    const stored = await this.read(projectId, fileId);
    return stored !== undefined && exists(stored, nowSeconds) ? stored : undefined;
  }

  /** The bytes of a file, also of a deleted one that a batch still uses. */
  async openContent(
    projectId: ProjectId,
    fileId: FileId,
    range?: ByteRange,
  ): Promise<Readable | undefined> {
    return await this.store.openRead(fileKeys(projectId, fileId).content, range);
  }

  /** Ids of a project's files, newest first; deleted ones are among them until they are removed. */
  async list(
    projectId: ProjectId,
    options: { readonly after?: FileId; readonly limit: number },
  ): Promise<ListPage<FileId>> {
    return await listIds(this.store, filesPrefix(projectId), isFileId, options);
  }

  /**
   * Deletes a file; its bytes go at once, or when the last batch that uses it has ended, or soon after.
   *
   * The entry in the agenda settles it: what this process does not finish, the sweeper does. So a
   * store that does not remove the bytes now — MinIO waits for whoever reads them — is no error.
   */
  async delete(projectId: ProjectId, fileId: FileId): Promise<void> {
    await this.agenda.put(atOnce, projectId, `${deletedFilePrefix}${fileId}`);
    await this.markDeleted(projectId, fileId);
    try {
      await this.removeIfUnused(projectId, fileId);
    } catch (error) {
      if (!(error instanceof StoreFault)) {
        throw error;
      }
    }
  }

  /** Removes content that never became a file, and no longer counts it. */
  async discardContent(projectId: ProjectId, fileId: FileId): Promise<void> {
    const { record, content } = fileKeys(projectId, fileId);
    await this.store.delete([record, content, uploadedFileKey(projectId, fileId)]);
    await this.agenda.remove({ key: agendaKey(orphanedAt(fileId), projectId, fileId) });
  }

  /**
   * Marks a file as used by a batch, so that its bytes stay until {@link release}.
   *
   * @returns whether the file exists; if not, no marker is left but one that was there before: the
   *   batch may run already, begun by an earlier attempt at the same create.
   */
  async use(
    projectId: ProjectId,
    fileId: FileId,
    user: { readonly batchId: BatchId; readonly nowSeconds: number },
  ): Promise<boolean> {
    const key = fileKeys(projectId, fileId).use(user.batchId);
    const marker = await this.store.put(key, new Uint8Array(), { ifAbsent: true });
    if ((await this.get(projectId, fileId, user.nowSeconds)) !== undefined) {
      return true;
    }
    if (marker !== undefined) {
      await this.store.delete([key]);
    }
    return false;
  }

  /** The record of a file that a batch has marked, deleted meanwhile or not. */
  async getUsed(
    projectId: ProjectId,
    fileId: FileId,
    batchId: BatchId,
  ): Promise<FileRecord | undefined> {
    const marker = await this.store.head(fileKeys(projectId, fileId).use(batchId));
    return marker && (await this.read(projectId, fileId));
  }

  /** Takes a batch's marker away; the bytes of a deleted file go with the last one. */
  async release(projectId: ProjectId, fileId: FileId, batchId: BatchId): Promise<void> {
    await this.store.delete([fileKeys(projectId, fileId).use(batchId)]);
    if ((await this.read(projectId, fileId))?.isDeleted === true) {
      await this.removeIfUnused(projectId, fileId);
    }
  }

  /** The batches that have marked a file. */
  async users(projectId: ProjectId, fileId: FileId): Promise<BatchId[]> {
    const { usesPrefix } = fileKeys(projectId, fileId);
    const { items } = await this.store.list(usesPrefix, { limit: Number.MAX_SAFE_INTEGER });
    return items.map(({ key }) => key.slice(usesPrefix.length)).filter(isBatchId);
  }

  /**
   * What the sweeper does about a file that the agenda names: one that has expired or is deleted,
   * and content that has no record, go as soon as no batch uses them.
   *
   * @returns whether there is nothing more to do.
   */
  async sweep(
    projectId: ProjectId,
    due: { readonly fileId: FileId; readonly isDeleted: boolean },
    nowSeconds: number,
  ): Promise<boolean> {
    const { fileId, isDeleted } = due;
    const stored = await this.read(projectId, fileId);
    if (stored !== undefined && exists(stored, nowSeconds) && !isDeleted) {
      return true;
    }
    await this.markDeleted(projectId, fileId);
    return await this.removeIfUnused(projectId, fileId);
  }

  private async remindOfExpiry({ projectId, id, expiresAt }: FileRecord): Promise<void> {
    if (expiresAt !== null) {
      await this.agenda.put(expiresAt, projectId, id);
    }
  }

  private async read(projectId: ProjectId, fileId: FileId): Promise<StoredFile | undefined> {
    return (await getJson<StoredFile>(this.store, fileKeys(projectId, fileId).record))?.value;
  }

  /**
   * A swap that loses has lost to another one that deletes: nothing else changes the record of a file
   * that exists, and one that is only announced is deleted days later.
   */
  private async markDeleted(projectId: ProjectId, fileId: FileId): Promise<void> {
    const key = fileKeys(projectId, fileId).record;
    const stored = await getJson<StoredFile>(this.store, key);
    if (stored !== undefined && stored.value.isDeleted !== true) {
      const deleted: StoredFile = { ...stored.value, isDeleted: true };
      await putJson(this.store, key, deleted, { ifEtag: stored.etag });
    }
  }

  /** Of a deleted file. The agenda's entry goes after the rest, so that a crash leaves no rest. */
  private async removeIfUnused(projectId: ProjectId, fileId: FileId): Promise<boolean> {
    const keys = fileKeys(projectId, fileId);
    const uses = await this.store.list(keys.usesPrefix, { limit: 1 });
    if (uses.items.length > 0) {
      return false;
    }
    await this.store.delete([keys.record, keys.content, uploadedFileKey(projectId, fileId)]);
    await this.store.delete([agendaKey(atOnce, projectId, `${deletedFilePrefix}${fileId}`)]);
    return true;
  }
}

/** The file that a name in the agenda means, and whether it is to be deleted. */
export function parseFileSubject(
  subject: string,
): { readonly fileId: FileId; readonly isDeleted: boolean } | undefined {
  const isDeleted = subject.startsWith(deletedFilePrefix);
  const fileId = isDeleted ? subject.slice(deletedFilePrefix.length) : subject;
  return isFileId(fileId) ? { fileId, isDeleted } : undefined;
}

/** Unix seconds from which on content that has no record belongs to nobody. */
function orphanedAt(fileId: FileId): number {
  return Math.floor(madeAtMs(fileId) / 1000) + contentOrphanedAfterSeconds;
}

function exists(stored: StoredFile, nowSeconds: number): boolean {
  const isThere = stored.isAnnounced !== true && stored.isDeleted !== true;
  return isThere && !isExpired(stored, nowSeconds);
}
