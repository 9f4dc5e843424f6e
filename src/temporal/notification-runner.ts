/** Starts the telling of a batch's end again, on an operator's behalf. */
import { Client, Connection, ServiceError } from '@temporalio/client';
import type { TemporalConfig } from '../config/config';
import { notificationWorkflowId } from '../domain/ids';
import type { NotificationTarget } from '../domain/webhook';
import {
  notificationWorkflowName,
  taskQueues,
  type BatchRef,
  type NotificationWorkflowInput,
} from '../domain/workflow-contract';
import { EngineUnavailable } from './batch-runner';

const deadlineMs = 10_000;

/** What the operator's commands need of the engine. */
export interface NotificationRunner {
  /**
   * Starts at the first attempt; one that waits for its next attempt is ended.
   *
   * @throws {@link EngineUnavailable}
   */
  restart(ref: BatchRef, target: NotificationTarget): Promise<void>;
}

export class TemporalNotificationRunner implements NotificationRunner {
  private readonly connection: Connection;
  private readonly client: Client;

  /** Connects with the first call: most commands need no engine. */
  constructor(
    private readonly config: TemporalConfig,
    identity: string,
  ) {
    this.connection = Connection.lazy({ address: config.address });
    const { namespace } = config;
    this.client = new Client({ connection: this.connection, namespace, identity });
  }

  async restart(ref: BatchRef, target: NotificationTarget): Promise<void> {
    const { taskQueuePrefix } = this.config;
    const input: NotificationWorkflowInput = { ref, target, taskQueuePrefix };
    const start = async (): Promise<void> => {
      await this.client.workflow.start(notificationWorkflowName, {
        workflowId: notificationWorkflowId(ref.batchId, target),
        taskQueue: taskQueues(taskQueuePrefix).orchestrator,
        args: [input],
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'TERMINATE_EXISTING',
        staticSummary: `webhook ${target}, by hand`,
      });
    };
    try {
      await this.connection.withDeadline(Date.now() + deadlineMs, start);
    } catch (error) {
      throw error instanceof ServiceError
        ? new EngineUnavailable('Temporal did not take the call [call=start]', { cause: error })
        : error;
    }
  }

  async close(): Promise<void> {
    await this.connection.close();
  }
}
