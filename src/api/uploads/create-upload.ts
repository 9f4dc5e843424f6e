import { makeUploadId, type ProjectId } from '../../domain/ids';
import { expiresAfterSecondsDefault, uploadSecondsMax } from '../../domain/limits';
import { sweepableFrom, type UploadRecord } from '../../domain/upload';
import type { ApiDependencies } from '../dependencies';
import { withoutFolders } from '../files/filename';
import { ApiError } from '../http/api-error';
import type { UploadRequest } from './upload.wire';

/** Opens an upload; its parts have an hour to arrive. */
export async function createUpload(
  projectId: ProjectId,
  request: UploadRequest,
  { uploads, projects, agenda, settings, clock, randomHex }: ApiDependencies,
): Promise<UploadRecord> {
  const { fileBytesMax, filesMax } = await projects.limits(projectId, settings.limits);
  if (request.bytes > fileBytesMax) {
    throw new ApiError(
      'invalidRequest',
      `File is too large. The maximum is ${fileBytesMax} bytes.`,
      {
        param: 'bytes',
      },
    );
  }
  if ((await uploads.count(projectId, filesMax)) >= filesMax) {
    throw new ApiError(
      'fileLimitExceeded',
      `Your project has begun its limit of ${filesMax} uploads. They stop to count some two hours after they were created; until then, please upload files with POST /v1/files.`,
      { headers: { 'x-should-retry': 'false' } },
    );
  }
  const nowMs = clock();
  const createdAt = Math.floor(nowMs / 1000);
  const upload: UploadRecord = {
    id: makeUploadId(nowMs, randomHex()),
    projectId,
    status: 'pending',
    bytes: request.bytes,
    createdAt,
    expiresAt: createdAt + uploadSecondsMax,
    filename: withoutFolders(request.filename),
    purpose: request.purpose,
    fileExpiresAfterSeconds: fileExpiry(request),
    completion: null,
  };
  await agenda.put(sweepableFrom(upload), projectId, upload.id);
  await uploads.create(upload);
  return upload;
}

/** OpenAI Files reference: batch files expire after 30 days, others are kept. */
function fileExpiry({ purpose, expiresAfterSeconds }: UploadRequest): number | null {
  return expiresAfterSeconds ?? (purpose === 'batch' ? expiresAfterSecondsDefault : null);
}
