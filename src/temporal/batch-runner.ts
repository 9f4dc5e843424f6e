import type { BatchWorkflowInput } from '../domain/workflow-contract';
import type { BatchId } from '../domain/ids';

/** The API's view of the engine: it starts batches and tells them that they were cancelled. */
export interface BatchRunner {
  /**
   * Starts the workflow of a batch; starting the same batch twice starts it once.
   *
   * Waits for its turn when many are started at once.
   *
   * @throws {@link EngineUnavailable} within a few seconds when the engine cannot be reached. The
   *   batch may have been started all the same.
   */
  start(input: BatchWorkflowInput): Promise<void>;
  /**
   * Tells a batch to look at its `end` object now. Harmless when it has already ended.
   *
   * @throws {@link EngineUnavailable}
   */
  signalCancel(batchId: BatchId): Promise<void>;
}

/** Temporal does not answer; the request may be repeated. */
export class EngineUnavailable extends Error {
  override readonly name = 'EngineUnavailable';
}
