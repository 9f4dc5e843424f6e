import { isUploadId, type ProjectId } from '../../domain/ids';
import { statusAt, type UploadRecord, type UploadStatus } from '../../domain/upload';
import type { UploadStore } from '../../storage/upload-store';
import { ApiError, quoted } from '../http/api-error';

/** @throws ApiError when the project has no such upload. */
export async function findUpload(
  uploads: UploadStore,
  projectId: ProjectId,
  uploadId: string,
): Promise<UploadRecord> {
  const upload = isUploadId(uploadId) ? await uploads.get({ projectId, uploadId }) : undefined;
  if (upload === undefined) {
    throw uploadNotFound(uploadId);
  }
  return upload;
}

/** @throws ApiError when it is too late for what the client wants. */
export function assertPending(upload: UploadRecord, nowSeconds: number): void {
  const status = statusAt(upload, nowSeconds);
  if (status !== 'pending') {
    throw wrongStatus(upload, status);
  }
}

/** 400, as the clients would repeat a request that is answered with 409. */
export function wrongStatus(upload: UploadRecord, status: UploadStatus): ApiError {
  const state = status === 'completing' ? 'being completed' : status;
  return new ApiError('invalidRequest', `The upload ${upload.id} is ${state}, no longer pending.`);
}

export function uploadNotFound(uploadId: string): ApiError {
  return new ApiError('notFound', `No such Upload object: ${quoted(uploadId)}`, { param: 'id' });
}
