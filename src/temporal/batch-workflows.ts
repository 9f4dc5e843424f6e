/** Whether the engine has ever heard of a batch. */
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { BatchId } from '../domain/ids';

export interface BatchWorkflows {
  /**
   * Whether a batch has a workflow, running or not. It fails when the engine does not answer; a
   * workflow that ended longer ago than the namespace's retention does not exist any more.
   */
  exist(batchId: BatchId): Promise<boolean>;
}

export class TemporalBatchWorkflows implements BatchWorkflows {
  constructor(private readonly client: Client) {}

  async exist(batchId: BatchId): Promise<boolean> {
    try {
      await this.client.workflow.getHandle(batchId).describe();
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) {
        return false;
      }
      throw error;
    }
  }
}
