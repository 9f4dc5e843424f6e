import type { FileId, ProjectId } from '../../domain/ids';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';

/**
 * Counts a file against the limit of its project, before its first byte is stored.
 *
 * @throws ApiError when the project has as many files as it may have. Waiting does not help against
 *   that, so it is no 429, which clients repeat.
 */
export async function reserveFile(
  projectId: ProjectId,
  fileId: FileId,
  { files, projects, settings }: ApiDependencies,
): Promise<void> {
  const { filesMax } = await projects.limits(projectId, settings.limits);
  if (!(await files.reserve(projectId, fileId, { filesMax }))) {
    throw new ApiError(
      'fileLimitExceeded',
      `Your project has its limit of ${filesMax} uploaded files. Please delete some that you no longer need, with DELETE /v1/files/{file_id}. Output and error files of batches do not count.`,
      { headers: { 'x-should-retry': 'false' } },
    );
  }
}
