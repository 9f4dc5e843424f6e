import { fileListLimitMax } from '../../domain/limits';
import { ApiError } from '../http/api-error';
import { parseListQuery, single, type ListQuery, type QueryString } from '../http/list.wire';

export interface FileListQuery extends ListQuery {
  readonly order: 'asc' | 'desc';
  readonly purpose: string | undefined;
}

export function parseFileListQuery(query: QueryString): FileListQuery {
  const order = single(query, 'order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') {
    throw new ApiError('invalidRequest', 'order must be asc or desc.');
  }
  // OpenAI Files reference: the default page is the largest one.
  const limits = { limitDefault: fileListLimitMax, limitMax: fileListLimitMax };
  return { ...parseListQuery(query, limits), order, purpose: single(query, 'purpose') };
}
