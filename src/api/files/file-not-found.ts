import { ApiError, quoted } from '../http/api-error';

/** The error of a file that never was, is deleted or has expired. */
export function fileNotFound(fileId: string): ApiError {
  return new ApiError('notFound', `No such File object: ${quoted(fileId)}`, { param: 'id' });
}
