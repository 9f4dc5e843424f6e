import type { FileRecord } from '../../domain/file';
import type { FileId, ProjectId } from '../../domain/ids';
import { isFileId } from '../../domain/ids';
import type { FileStore } from '../../storage/file-store';
import type { ListPage } from '../../storage/object-store';
import { fillPage } from '../http/fill-page';
import type { FileListQuery } from './file-list.wire';

interface FilesOfProject {
  readonly files: FileStore;
  readonly projectId: ProjectId;
}

const noFiles: ListPage<FileRecord> = { items: [], hasMore: false };

/**
 * One page of a project's files that exist.
 *
 * An id is a place in the order of time, and `after` means that place, whether or not the file is
 * still there: whoever deletes the files of a page before asking for the next one misses none.
 */
export async function listFiles(
  { files, projectId }: FilesOfProject,
  query: FileListQuery,
  nowSeconds: number,
): Promise<ListPage<FileRecord>> {
  const { after, limit, purpose } = query;
  if (after !== undefined && !isFileId(after)) {
    return noFiles;
  }
  return await fillPage<FileId, FileRecord>({
    after,
    limit,
    listIds:
      query.order === 'desc'
        ? newestFirst({ files, projectId })
        : await oldestFirst({ files, projectId }),
    load: async (fileId) => {
      const file = await files.get(projectId, fileId, nowSeconds);
      return purpose === undefined || file?.purpose === purpose ? file : undefined;
    },
  });
}

type ListIds = (options: {
  readonly after?: FileId;
  readonly limit: number;
}) => Promise<ListPage<FileId>>;

function newestFirst({ files, projectId }: FilesOfProject): ListIds {
  return async (options) => await files.list(projectId, options);
}

/** The store lists in one direction only, so this reads the ids of all files: some 100 bytes each. */
async function oldestFirst(project: FilesOfProject): Promise<ListIds> {
  const ids = await allIds(project);
  ids.reverse();
  return async ({ after, limit }) => {
    // Ids descend with age, so the page begins at the first that is smaller than `after`.
    const found = after === undefined ? 0 : ids.findIndex((id) => id < after);
    const start = found === -1 ? ids.length : found;
    const end = start + limit;
    return await Promise.resolve({ items: ids.slice(start, end), hasMore: end < ids.length });
  };
}

async function allIds({ files, projectId }: FilesOfProject): Promise<FileId[]> {
  const ids: FileId[] = [];
  for (;;) {
    const after = ids.at(-1);
    const page = await files.list(projectId, {
      ...(after !== undefined && { after }),
      limit: 1_000,
    });
    ids.push(...page.items);
    if (!page.hasMore || page.items.length === 0) {
      return ids;
    }
  }
}
