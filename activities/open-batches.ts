import { isBatchId, isProjectId } from '../src/domain/ids';
import { openBatchesPrefix } from '../src/domain/object-keys';
import type { BatchRef } from '../src/domain/workflow-contract';
import type { ObjectStore } from '../src/storage/object-store';

/** The batches of all projects that have a marker; markers may come and go meanwhile. */
export async function* openBatches(store: ObjectStore): AsyncGenerator<BatchRef, void> {
  let after: string | undefined;
  do {
    const page = await store.list(openBatchesPrefix, { ...(after !== undefined && { after }) });
    for (const { key } of page.items) {
      const [projectId = '', batchId = ''] = key.slice(openBatchesPrefix.length).split('/');
      if (isProjectId(projectId) && isBatchId(batchId)) {
        yield { projectId, batchId };
      }
    }
    after = page.hasMore ? page.items.at(-1)?.key : undefined;
  } while (after !== undefined);
}
