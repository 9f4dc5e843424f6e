/**
 * Uploads in parts: a file that arrives in pieces, in any order, and is put together at the end.
 *
 *     pending ──► completing ──► completed
 *        └──► cancelled   └──► expired (also from pending)
 *
 * `completing` fixes what the file will be: its id, its time and the order of its parts. So whoever
 * repeats a complete, at the same time or after a crash, writes the same bytes to the same place.
 */
import type { FileRecord, UploadPurpose } from './file';
import type { FileId, PartId, ProjectId, UploadId } from './ids';
import { uploadCompleteSecondsMax, uploadGraceSeconds } from './limits';

export interface UploadRef {
  readonly projectId: ProjectId;
  readonly uploadId: UploadId;
}

export type UploadStatus = 'pending' | 'completing' | 'completed' | 'cancelled' | 'expired';

/** How an upload becomes a file. */
export interface UploadCompletion {
  readonly partIds: readonly PartId[];
  readonly fileId: FileId;
  /** Unix seconds: since when it is being completed; the file counts as created then. */
  readonly at: number;
}

/** An upload as it is stored. Times are Unix seconds. */
export interface UploadRecord {
  readonly id: UploadId;
  readonly projectId: ProjectId;
  readonly status: UploadStatus;
  /** Bytes of the whole file, as announced. */
  readonly bytes: number;
  readonly createdAt: number;
  /** No part is added and nothing is completed or cancelled from then on. */
  readonly expiresAt: number;
  readonly filename: string;
  readonly purpose: UploadPurpose;
  /** Of the file, from its own creation; null: it is kept until it is deleted. */
  readonly fileExpiresAfterSeconds: number | null;
  /** Null until somebody completes it. */
  readonly completion: UploadCompletion | null;
}

export type UploadEvent =
  | ({ readonly type: 'completing' } & UploadCompletion)
  | { readonly type: 'completed' }
  | { readonly type: 'cancelled'; readonly at: number }
  | { readonly type: 'expired' };

/** The upload after an event; the same object when the event has no effect. */
export function transition(upload: UploadRecord, event: UploadEvent): UploadRecord {
  switch (event.type) {
    case 'completing': {
      const { partIds, fileId, at } = event;
      return statusAt(upload, at) === 'pending'
        ? { ...upload, status: 'completing', completion: { partIds, fileId, at } }
        : upload;
    }
    case 'completed':
      return upload.status === 'completing' ? { ...upload, status: 'completed' } : upload;
    case 'cancelled':
      return statusAt(upload, event.at) === 'pending' ? { ...upload, status: 'cancelled' } : upload;
    case 'expired':
      return upload.status === 'pending' || upload.status === 'completing'
        ? { ...upload, status: 'expired' }
        : upload;
  }
}

/** What the upload is at a time: one that nobody has completed expires by itself. */
export function statusAt(upload: UploadRecord, nowSeconds: number): UploadStatus {
  return upload.status === 'pending' && nowSeconds >= upload.expiresAt ? 'expired' : upload.status;
}

/** Unix seconds from which on nobody can want the upload any more, unless it is being completed. */
export function sweepableFrom(upload: UploadRecord): number {
  const restsAt = upload.expiresAt + uploadGraceSeconds;
  return upload.status === 'completing' && upload.completion !== null
    ? Math.max(restsAt, upload.completion.at + uploadCompleteSecondsMax)
    : restsAt;
}

/** The file that a completion makes. */
export function fileOf(upload: UploadRecord, completion: UploadCompletion): FileRecord {
  const { projectId, bytes, filename, purpose, fileExpiresAfterSeconds: seconds } = upload;
  return {
    id: completion.fileId,
    projectId,
    bytes,
    createdAt: completion.at,
    expiresAt: seconds === null ? null : completion.at + seconds,
    filename,
    purpose,
  };
}
