/**
 * Names and payloads that the API, the workflows and the activities share. They are stored in
 * histories: a name never changes its meaning, and a payload only gains optional fields.
 */
import type { EndReason, NewBatch, TerminalStatus } from './batch';
import type { DeliveryState } from './delivery';
import type { BatchId, ProjectId } from './ids';
import type { EarlyEndReason } from './outcome';
import type { LineAttempts } from './retry';
import type { NotificationTarget } from './webhook';

export const batchWorkflowName = 'batchWorkflow';
export const shardWorkflowName = 'shardWorkflow';
export const sweepWorkflowName = 'sweepWorkflow';
export const recoveryWorkflowName = 'recoveryWorkflow';
export const notificationWorkflowName = 'notificationWorkflow';
export const cancelSignalName = 'cancelBatch';

/** Task queues. The prefix separates deployments that share a Temporal namespace. */
export interface TaskQueues {
  /** Workflows and control activities. */
  readonly orchestrator: string;
  /** Slices of batches with several shards. */
  readonly inference: string;
  /** Slices of batches with one shard, which never wait behind five-minute slices. */
  readonly inferenceShort: string;
  /** Calls to webhooks and mail servers, so that slow ones hold up nothing else. */
  readonly notifications: string;
}

export function taskQueues(prefix: string): TaskQueues {
  return {
    orchestrator: `${prefix}-batches`,
    inference: `${prefix}-inference`,
    inferenceShort: `${prefix}-inference-short`,
    notifications: `${prefix}-notifications`,
  };
}

export const searchAttributeNames = {
  status: 'BatchStatus',
  project: 'BatchProject',
  model: 'BatchModel',
  requests: 'BatchRequests',
  expiresAt: 'BatchExpiresAt',
} as const;

/** Custom search attributes, by name and type; registered when the namespace is set up. */
export const searchAttributes = {
  [searchAttributeNames.status]: 'KEYWORD',
  [searchAttributeNames.project]: 'KEYWORD',
  [searchAttributeNames.model]: 'KEYWORD',
  [searchAttributeNames.requests]: 'INT',
  [searchAttributeNames.expiresAt]: 'DATETIME',
} as const;

export interface BatchWorkflowInput {
  readonly batch: NewBatch;
  /** Prefix of the task queues that the batch's activities go to. */
  readonly taskQueuePrefix: string;
  /**
   * Unix milliseconds at the start of the workflow, by the clock that the batch's `expiresAt` was made
   * with: so much of the completion window is left, whatever the engine's clock says. Absent in runs
   * that take the place of lost ones.
   */
  readonly startedAtMs?: number;
  /** The project's batches that may run at a time, when there is a limit at first. */
  readonly runningBatchesMax?: number;
  /**
   * What begins the batch is one activity, and what ends it another, or its only slice. Absent from
   * runs of old, which go on as they began; a patch would cost every batch a marker and an upsert.
   */
  readonly fewSteps?: true;
  /**
   * Filters find a batch of one shard in progress only if it still is after a while: a change of search
   * attributes costs the engine more than some requests cost us. Absent from runs of old, which show it
   * at once.
   */
  readonly showsLate?: true;
  /** The earlier run was lost, and the batch is to end; absent when it is to run. */
  readonly recovery?: BatchRecovery;
}

export interface BatchRecovery {
  /** How the batch ends, unless that was decided before. */
  readonly reason: 'cancelled' | 'failed';
}

export interface BatchWorkflowResult {
  readonly status: EndReason;
}

/** Input of the workflows that schedules start. */
export interface ScheduledWorkflowInput {
  readonly taskQueuePrefix: string;
}

/** What became of the entries of the agenda that were due, and of old batches. */
export interface SweepResult {
  readonly done: number;
  /** Still needed: a batch reads the file, for one. */
  readonly later: number;
  /** The store or Temporal did not do its part. */
  readonly failed: number;
}

/** What became of the batches that have a marker. */
export interface RecoveryResult {
  /** Their workflows run. */
  readonly running: number;
  /** Their workflows were lost, and run again. */
  readonly restarted: number;
  /** There was nothing to do: they are being created, or have just ended. */
  readonly left: number;
  /** The store or Temporal did not do its part. */
  readonly failed: number;
}

/** What every activity of a batch is about. */
export interface BatchRef {
  readonly projectId: ProjectId;
  readonly batchId: BatchId;
}

export function refOf({ projectId, id }: Pick<NewBatch, 'projectId' | 'id'>): BatchRef {
  return { projectId, batchId: id };
}

export interface ShardRef extends BatchRef {
  readonly shardIndex: number;
}

export interface ShardWorkflowInput {
  readonly shard: ShardRef;
  /** Task queue of the slices. */
  readonly inferenceTaskQueue: string;
  /** The batch has no other shard: the slice that seals it may end the batch. */
  readonly isOnly?: true;
  /** As in {@link ValidationResult}, for the first slice; not when the shard is run again. */
  readonly heldAs?: string;
}

/** Answered lines of a shard, from committed segments only. */
export interface ShardCounts {
  readonly completed: number;
  readonly failed: number;
}

/** Failed attempts at lines that a slice gave up, by ordinal. */
export type EarlierAttempts = Readonly<Record<string, LineAttempts>>;

export interface SliceInput extends ShardRef {
  readonly earlierAttempts?: EarlierAttempts;
  /** No slice of this run of the shard came before: most likely there is no ledger to look for. */
  readonly isFirst?: true;
  /** As in {@link ShardWorkflowInput}. */
  readonly isOnly?: true;
  readonly heldAs?: string;
}

export interface SliceResult {
  readonly sealed: boolean;
  /** The slice stopped because the batch's `end` object exists. */
  readonly ended: boolean;
  readonly counts: ShardCounts;
  /** Objects of the ledger that turned out to be damaged or missing; absent when there are none. */
  readonly damaged?: number;
  /** For the next slice; absent when there are none. */
  readonly earlierAttempts?: EarlierAttempts;
  /** What came of the end of the batch, where the slice has brought that about. */
  readonly concluded?: ConcludedBatch;
}

export interface OpenBatchResult {
  /** How the batch has ended, when there is nothing left to do; otherwise null. */
  readonly endedAs: TerminalStatus | null;
}

/** What came of the first step of a batch: it has ended already, or its input was read. */
export type PreparedBatch =
  | { readonly endedAs: TerminalStatus }
  | { readonly endedAs: null; readonly validation: ValidationResult };

export interface TakeTurnInput {
  readonly ref: BatchRef;
  /** As it was when the batch was created. */
  readonly runningBatchesMax: number;
}

export interface TakeTurnResult {
  /** The batch ended while it waited. */
  readonly ended: boolean;
}

export type ValidationResult =
  | {
      readonly verdict: 'valid';
      readonly total: number;
      readonly shardCount: number;
      readonly model: string | null;
      /** Under which the process that has read the input holds it for its first slice. */
      readonly heldAs?: string;
    }
  | { readonly verdict: 'invalid'; readonly errorCount: number }
  /** The batch ended, or the activity was cancelled, before the file was read to its end. */
  | { readonly verdict: 'ended' };

/** What an earlier run has planned; no shards when it had not come that far. */
export interface RecoveredPlan {
  readonly total: number;
  readonly shardCount: number;
  readonly model: string | null;
}

export interface DecideEndInput {
  readonly ref: BatchRef;
  readonly reason: EndReason;
}

export interface CloseShardInput {
  readonly shard: ShardRef;
  readonly reason: EarlyEndReason;
}

export interface FinalizeInput {
  readonly ref: BatchRef;
  /** 0 when the batch ended before its input was validated. */
  readonly shardCount: number;
}

export interface ConcludeInput extends FinalizeInput {
  /** Every line has its answer: the batch ends as completed, unless its end was decided before. */
  readonly isComplete: boolean;
}

export interface ConcludedBatch {
  readonly endedAs: TerminalStatus;
  /** Who is still to be told. With nobody, nothing is left to do. */
  readonly targets: readonly NotificationTarget[];
}

export interface NotificationWorkflowInput {
  readonly ref: BatchRef;
  readonly target: NotificationTarget;
  readonly taskQueuePrefix: string;
}

export interface NotificationWorkflowResult {
  readonly state: DeliveryState;
}

/** One attempt at telling one target how a batch has ended. */
export interface NotificationInput {
  readonly ref: BatchRef;
  readonly target: NotificationTarget;
  /** From 1. */
  readonly attemptNumber: number;
}

export interface NotificationResult {
  readonly state: DeliveryState;
  /** What the receiver asked for, when it did. */
  readonly retryAfterSeconds?: number;
}
