/** What the engine knows of batches, and starting one again that it has lost. */
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  type Client,
  type WorkflowExecutionStatusName,
} from '@temporalio/client';
import type { BatchStatus } from '../domain/batch';
import { batchWorkflowName, type BatchWorkflowInput } from '../domain/workflow-contract';
import { batchStartOptions } from './batch-start';

/**
 * `stopped`: somebody has terminated or cancelled it. `missing`: the engine has never heard of it, or
 * it ended longer ago than the namespace's retention.
 */
export type WorkflowState = 'running' | 'completed' | 'failed' | 'stopped' | 'missing';

/** A workflow that does not run, as it was seen. */
export interface LostRun {
  readonly state: Exclude<WorkflowState, 'running'>;
  /** Of the batch. */
  readonly status: BatchStatus;
}

export interface BatchWorkflows {
  /**
   * What has become of the newest run of a workflow; fails when the engine does not answer within
   * seconds.
   */
  state(workflowId: string): Promise<WorkflowState>;
  /**
   * Starts the workflow of a batch again; never beside one that runs or in its place, and not when
   * one that was missing has been started meanwhile, whatever has become of it.
   *
   * @returns whether it was started.
   */
  restart(input: BatchWorkflowInput, lost: LostRun): Promise<boolean>;
}

/** Longer than a restart of the engine's frontend takes. */
const deadlineMs = 10_000;

/** States that are not listed, those of later versions among them, may go on by themselves. */
const stateOf: Partial<Record<WorkflowExecutionStatusName, WorkflowState>> = {
  COMPLETED: 'completed',
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  CANCELLED: 'stopped',
  TERMINATED: 'stopped',
};

export class TemporalBatchWorkflows implements BatchWorkflows {
  constructor(private readonly client: Client) {}

  async state(workflowId: string): Promise<WorkflowState> {
    try {
      const { status } = await this.withDeadline(
        async () => await this.client.workflow.getHandle(workflowId).describe(),
      );
      return stateOf[status.name] ?? 'running';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) {
        return 'missing';
      }
      throw error;
    }
  }

  async restart(input: BatchWorkflowInput, { state, status }: LostRun): Promise<boolean> {
    const { memo, ...options } = batchStartOptions(input, status);
    const fate = input.recovery === undefined ? 'goes on' : `ends as ${input.recovery.reason}`;
    try {
      await this.withDeadline(
        async () =>
          await this.client.workflow.start(batchWorkflowName, {
            ...options,
            workflowIdReusePolicy: state === 'missing' ? 'REJECT_DUPLICATE' : 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
            staticSummary: `recovery of a batch of ${input.batch.endpoint}: ${fate}`,
            memo: { ...memo, recoveredFrom: state },
          }),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) {
        return false;
      }
      throw error;
    }
  }

  private async withDeadline<T>(call: () => Promise<T>): Promise<T> {
    return await this.client.withDeadline(Date.now() + deadlineMs, call);
  }
}
