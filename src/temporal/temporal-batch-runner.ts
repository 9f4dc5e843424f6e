/** Starts and signals batch workflows. */
import {
  Client,
  Connection,
  ServiceError,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/client';
import type { TemporalConfig } from '../config/config';
import type { BatchId } from '../domain/ids';
import {
  batchWorkflowName,
  cancelSignalName,
  type BatchWorkflowInput,
} from '../domain/workflow-contract';
import { EngineUnavailable, type BatchRunner } from './batch-runner';
import { batchStartOptions } from './batch-start';
import { EngineGate } from './engine-gate';

/** Longer than a restart of the engine's frontend takes, shorter than a client's patience. */
const deadlineMs = 5_000;
/** A signal only makes a cancel quicker: nobody should wait long for what may be lost. */
const signalDeadlineMs = 2_000;

/** Starts at a time. An engine on SQLite takes some 20 ms for each, one after the other. */
const startsMax = 16;

/** After a long outage gRPC would look for the engine every two minutes only. */
const channelArgs = { 'grpc.max_reconnect_backoff_ms': 2_000 };

export class TemporalBatchRunner implements BatchRunner {
  private readonly connection: Connection;
  private readonly client: Client;
  private readonly starts = new EngineGate(startsMax);

  /** Connects with the first call, so that reads and uploads work while Temporal is down. */
  constructor(config: TemporalConfig, identity: string) {
    this.connection = Connection.lazy({ address: config.address, channelArgs });
    this.client = new Client({
      connection: this.connection,
      namespace: config.namespace,
      identity,
    });
  }

  async start(input: BatchWorkflowInput): Promise<void> {
    const start = async (): Promise<void> => {
      await this.client.workflow.start(batchWorkflowName, {
        ...batchStartOptions(input, 'validating'),
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        staticSummary: `batch of ${input.batch.endpoint}`,
      });
    };
    await this.starts.pass(async () => {
      await this.call('start', deadlineMs, start);
    });
  }

  async signalCancel(batchId: BatchId): Promise<void> {
    await this.call('signal', signalDeadlineMs, async () => {
      await this.client.workflow.getHandle(batchId).signal(cancelSignalName);
    });
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  private async call(what: string, timeoutMs: number, work: () => Promise<void>): Promise<void> {
    try {
      await this.connection.withDeadline(Date.now() + timeoutMs, work);
    } catch (error) {
      if (
        error instanceof WorkflowExecutionAlreadyStartedError ||
        error instanceof WorkflowNotFoundError
      ) {
        // It has run, or has ended: what the caller wanted has happened.
        return;
      }
      throw error instanceof ServiceError
        ? new EngineUnavailable(`Temporal did not take the call [call=${what}]`, { cause: error })
        : error;
    }
  }
}
