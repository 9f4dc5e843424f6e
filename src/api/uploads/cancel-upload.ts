import type { ProjectId } from '../../domain/ids';
import { statusAt, type UploadRecord } from '../../domain/upload';
import type { ApiDependencies } from '../dependencies';
import { findUpload, uploadNotFound, wrongStatus } from './find-upload';

/** Gives an upload up; its parts go at once. Repeating it changes nothing. */
export async function cancelUpload(
  projectId: ProjectId,
  uploadId: string,
  { uploads, clock }: ApiDependencies,
): Promise<UploadRecord> {
  const { id } = await findUpload(uploads, projectId, uploadId);
  const ref = { projectId, uploadId: id };
  const at = Math.floor(clock() / 1000);
  const upload = await uploads.apply(ref, { type: 'cancelled', at });
  if (upload === undefined) {
    throw uploadNotFound(uploadId);
  }
  if (upload.status !== 'cancelled') {
    throw wrongStatus(upload, statusAt(upload, at));
  }
  await uploads.removeParts(ref);
  return upload;
}
