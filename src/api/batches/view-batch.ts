/**
 * Batches as clients see them: the record, moved forward by an `end` that the workflow has not
 * recorded yet, with live counts and tokens while it runs. Needs the store only, no worker and no engine.
 */
import type { BatchRecord } from '../../domain/batch';
import { isTerminal, transition } from '../../domain/batch';
import type { BatchId, ProjectId } from '../../domain/ids';
import { isBatchId } from '../../domain/ids';
import { refOf, type BatchRef } from '../../domain/workflow-contract';
import type { BatchStore, LiveProgress } from '../../storage/batch-store';
import type { ListPage } from '../../storage/object-store';
import type { ApiDependencies } from '../dependencies';
import { ApiError, quoted } from '../http/api-error';
import { fillPage } from '../http/fill-page';
import type { ListQuery } from '../http/list.wire';

type BatchViews = Pick<ApiDependencies, 'batches' | 'readLiveProgress'>;

interface BatchesOfProject {
  readonly batches: BatchStore;
  readonly projectId: ProjectId;
}

/** The record as it is stored; 404 when the project has none. */
export async function findBatch(
  { batches, projectId }: BatchesOfProject,
  batchId: string,
): Promise<BatchRecord> {
  const record = isBatchId(batchId) ? await batches.get({ projectId, batchId }) : undefined;
  if (record === undefined) {
    throw new ApiError('notFound', `No batch found with id '${quoted(batchId)}'.`);
  }
  return record;
}

export async function viewBatch(
  { batches, readLiveProgress }: BatchViews,
  record: BatchRecord,
): Promise<BatchRecord> {
  if (isTerminal(record.status)) {
    return record;
  }
  const ref = refOf(record);
  const live = await readLiveProgress(ref);
  const end = await batches.getEnd(ref);
  if (end === undefined) {
    return withProgress(record, live);
  }
  // The counts of a batch that has ended may be gone by now; then its record is terminal.
  const latest = (await batches.get(ref)) ?? record;
  return isTerminal(latest.status)
    ? latest
    : withProgress(transition(latest, { type: 'end_decided', end }), live);
}

/** One page of views, newest first; an empty one behind a batch that the project does not have. */
export async function listBatches(
  views: BatchViews,
  projectId: ProjectId,
  { after, limit }: ListQuery,
): Promise<ListPage<BatchRecord>> {
  const { batches } = views;
  const cursor = after !== undefined && isBatchId(after) ? after : undefined;
  if (after !== undefined) {
    const isKnown = cursor !== undefined && (await exists(batches, { projectId, batchId: cursor }));
    if (!isKnown) {
      return { items: [], hasMore: false };
    }
  }
  return await fillPage<BatchId, BatchRecord>({
    after: cursor,
    limit,
    listIds: async (options) => await batches.list(projectId, options),
    load: async (batchId) => {
      const record = await batches.get({ projectId, batchId });
      return record && (await viewBatch(views, record));
    },
  });
}

async function exists(batches: BatchStore, ref: BatchRef): Promise<boolean> {
  return (await batches.get(ref)) !== undefined;
}

/** The total is known once the input has been validated; until then nothing counts. */
function withProgress(record: BatchRecord, { counts, usage }: LiveProgress): BatchRecord {
  const { total } = record.requestCounts;
  const completed = Math.min(counts.completed, total);
  const failed = Math.min(counts.failed, total - completed);
  return {
    ...record,
    requestCounts: { total, completed, failed },
    usage: usage.totalTokens > 0 ? usage : record.usage,
  };
}
