/**
 * Uploads in parts on the object store: a record, changed by compare-and-swap, and an object for
 * each part. A part is written once, under a key of its own, so that any number may arrive at once.
 */
import type { Readable } from 'node:stream';
import { isPartId, type FileId, type PartId, type ProjectId, type UploadId } from '../domain/ids';
import { uploadPartsMax } from '../domain/limits';
import { fileKeys, uploadKeys, uploadsPrefix } from '../domain/object-keys';
import {
  sweepableFrom,
  transition,
  type UploadEvent,
  type UploadRecord,
  type UploadRef,
} from '../domain/upload';
import { deleteBelow } from './delete-below';
import { changeJson, getJson, putJson } from './json-object';
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store';

export class UploadStore {
  constructor(private readonly store: ObjectStore) {}

  async create(upload: UploadRecord): Promise<void> {
    const key = uploadKeys(upload.projectId, upload.id).record;
    await putJson(this.store, key, upload, { ifAbsent: true });
  }

  /** How many uploads of a project are kept, whatever their status; counts no further than `max`. */
  async count(projectId: ProjectId, max: number): Promise<number> {
    return (await this.store.listFolders(uploadsPrefix(projectId), { limit: max })).items.length;
  }

  async get(ref: UploadRef): Promise<UploadRecord | undefined> {
    return (await getJson<UploadRecord>(this.store, keysOf(ref).record))?.value;
  }

  /**
   * Applies an event by compare-and-swap until it is in the record or has no effect on it.
   *
   * @returns the record as it then is; `undefined` when there is none.
   */
  async apply(ref: UploadRef, event: UploadEvent): Promise<UploadRecord | undefined> {
    return await changeJson(
      this.store,
      keysOf(ref).record,
      (upload: UploadRecord | undefined) => upload && transition(upload, event),
    );
  }

  async putPart(ref: UploadRef, partId: PartId, source: Readable): Promise<ObjectInfo> {
    return await this.store.putStream(keysOf(ref).part(partId), source);
  }

  /** The bytes of each part that has arrived; of at most {@link uploadPartsMax} parts. */
  async partSizes(ref: UploadRef): Promise<ReadonlyMap<PartId, number>> {
    const { partsPrefix } = keysOf(ref);
    const page = await this.store.list(partsPrefix, { limit: uploadPartsMax });
    const sizes = new Map<PartId, number>();
    for (const { key, sizeBytes } of page.items) {
      const partId = key.slice(partsPrefix.length);
      if (isPartId(partId)) {
        sizes.set(partId, sizeBytes);
      }
    }
    return sizes;
  }

  /** `undefined` when there is no such part. */
  async openPart(ref: UploadRef, partId: PartId): Promise<Readable | undefined> {
    return await this.store.openRead(keysOf(ref).part(partId));
  }

  /** `undefined` also when the range is not wholly inside the part. */
  async readPart(ref: UploadRef, partId: PartId, range: ByteRange): Promise<Buffer | undefined> {
    return await this.store.getRange(keysOf(ref).part(partId), range);
  }

  /** Strings parts together, in this order, as the content of a file that has no record yet. */
  async assemble(
    ref: UploadRef,
    fileId: FileId,
    parts: readonly { readonly id: PartId; readonly sizeBytes: number }[],
  ): Promise<ObjectInfo> {
    const keys = keysOf(ref);
    const slices = parts.map(({ id, sizeBytes }) => ({
      key: keys.part(id),
      offset: 0,
      length: sizeBytes,
    }));
    return await this.store.concatenate(fileKeys(ref.projectId, fileId).content, slices);
  }

  async removePart(ref: UploadRef, partId: PartId): Promise<void> {
    await this.store.delete([keysOf(ref).part(partId)]);
  }

  async removeParts(ref: UploadRef): Promise<void> {
    await deleteBelow(this.store, keysOf(ref).partsPrefix);
  }

  /**
   * Removes an upload that has had its time, with its parts. Repeating it does no harm.
   *
   * Nothing is removed under the hands of somebody who completes the upload: it counts as expired
   * before the first part goes, and cannot be completed from then on. The content of a file that a
   * complete left behind when it died is not looked for here: it is on the agenda by itself.
   *
   * @returns false when it is too early: the upload has to be looked at again later.
   */
  async sweep(projectId: ProjectId, uploadId: UploadId, nowSeconds: number): Promise<boolean> {
    const ref = { projectId, uploadId };
    const upload = await this.get(ref);
    if (upload !== undefined && nowSeconds < sweepableFrom(upload)) {
      return false;
    }
    await this.apply(ref, { type: 'expired' });
    await this.removeParts(ref);
    await this.store.delete([keysOf(ref).record]);
    return true;
  }
}

function keysOf({ projectId, uploadId }: UploadRef): ReturnType<typeof uploadKeys> {
  return uploadKeys(projectId, uploadId);
}
