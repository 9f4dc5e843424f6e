/**
 * The batch: its record, its statuses, and the one function that moves it from one to the next.
 *
 *   validating ──► failed                                   (the input did not validate)
 *       │ └──────► cancelling ──► cancelled
 *       └► in_progress ──► finalizing ──► completed | expired | failed (by a fault of ours)
 *              └─────────► cancelling ──► cancelled
 *
 * Invariants:
 * - Status only moves forward; a terminal record never changes again.
 * - A timestamp, once set, never changes; at most one of the four terminal ones is set.
 * - Timestamps follow one another: a clock that is behind is overruled by what the record says.
 * - An event that has already taken effect leaves the record as it is, so that whoever records an
 *   event may do so again after a crash.
 * - How a batch ends is decided by its `end` object, not here: this only follows it.
 *
 * The table of status × event is in docs/batch-lifecycle.md; a test compares the two.
 */
import type { Cost } from './cost';
import type { Endpoint } from './endpoints';
import type { BatchId, FileId, ProjectId } from './ids';
import type { Usage } from './usage';

export const batchStatuses = [
  'validating',
  'failed',
  'in_progress',
  'finalizing',
  'completed',
  'expired',
  'cancelling',
  'cancelled',
] as const;
export type BatchStatus = (typeof batchStatuses)[number];

export const terminalStatuses = ['failed', 'completed', 'expired', 'cancelled'] as const;
export type TerminalStatus = (typeof terminalStatuses)[number];

/** How a batch ends; written once, in `end`, by whoever comes first. */
export type EndReason = 'completed' | 'cancelled' | 'expired' | 'failed';

/** Content of the `end` object. */
export interface BatchEnd {
  readonly reason: EndReason;
  /** Unix seconds. */
  readonly at: number;
}

export interface RequestCounts {
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
}

export const noCounts: RequestCounts = { total: 0, completed: 0, failed: 0 };

/** One reason why a batch failed. `line` is the 1-based physical line of the input, if it is one's. */
export interface BatchError {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly line: number | null;
}

/**
 * What `response` of a result line holds: OpenAI's object with status, request id and body, or the
 * body itself.
 */
export const resultForms = ['openai', 'bare'] as const;
export type ResultForm = (typeof resultForms)[number];

/** The batch as it is stored. Times are Unix seconds. */
export interface BatchRecord {
  /** Grows with each write: equal contents would have equal ETags. */
  readonly revision: number;
  readonly id: BatchId;
  readonly projectId: ProjectId;
  readonly endpoint: Endpoint;
  readonly completionWindow: string;
  readonly inputFileId: string;
  /** Ids that the results will have, fixed at the start so that finalizing can be repeated. */
  readonly resultFileIds: { readonly output: FileId; readonly error: FileId };
  readonly outputExpiresAfterSeconds: number;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** Where the end of this batch is told, beside the project's own webhooks. */
  readonly webhookUrl?: string;
  /** Form of the result lines; `openai` when absent. */
  readonly resultForm?: ResultForm;
  readonly status: BatchStatus;
  /** Null until the input is validated, and for a batch of several models. */
  readonly model: string | null;
  readonly errors: readonly BatchError[] | null;
  readonly outputFileId: FileId | null;
  readonly errorFileId: FileId | null;
  readonly requestCounts: RequestCounts;
  /** Length of the input, set where all of it is one shard: then there is no object with a plan. */
  readonly onlyShardBytes?: number;
  readonly usage: Usage | null;
  /** Absent where the model has no price, and until the batch has ended. */
  readonly cost?: Cost;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly inProgressAt: number | null;
  readonly finalizingAt: number | null;
  readonly completedAt: number | null;
  readonly failedAt: number | null;
  readonly expiredAt: number | null;
  readonly cancellingAt: number | null;
  readonly cancelledAt: number | null;
}

/** What is known of a batch when it is created; also the input of its workflow. */
export type NewBatch = Pick<
  BatchRecord,
  | 'id'
  | 'projectId'
  | 'endpoint'
  | 'completionWindow'
  | 'inputFileId'
  | 'resultFileIds'
  | 'outputExpiresAfterSeconds'
  | 'metadata'
  | 'webhookUrl'
  | 'resultForm'
  | 'createdAt'
  | 'expiresAt'
>;

/** What finalizing found in the seals. A file id is null when the file would have no line. */
export interface BatchResult {
  readonly outputFileId: FileId | null;
  readonly errorFileId: FileId | null;
  readonly requestCounts: RequestCounts;
  readonly usage: Usage | null;
  readonly cost?: Cost;
  /** Of a batch that failed although nothing was found wrong with its input. */
  readonly errors?: readonly BatchError[];
}

export const batchEvents = [
  'validation_passed',
  'validation_failed',
  'end_decided',
  'finalized',
] as const;

/** `at` is Unix seconds. */
export type BatchEvent =
  | {
      readonly type: 'validation_passed';
      readonly at: number;
      readonly total: number;
      readonly model: string | null;
      /** As in {@link BatchRecord}. */
      readonly onlyShardBytes?: number | undefined;
    }
  | {
      readonly type: 'validation_failed';
      readonly at: number;
      readonly errors: readonly BatchError[];
    }
  | { readonly type: 'end_decided'; readonly end: BatchEnd }
  | {
      readonly type: 'finalized';
      readonly at: number;
      readonly reason: EndReason;
      readonly result: BatchResult;
    };

export function isTerminal(status: BatchStatus): status is TerminalStatus {
  return (terminalStatuses as readonly string[]).includes(status);
}

/** When a batch ended, in Unix seconds; null before. */
export function endedAt(record: BatchRecord): number | null {
  return record.completedAt ?? record.failedAt ?? record.expiredAt ?? record.cancelledAt;
}

/** The record of a batch that has just been created. */
export function newBatchRecord(batch: NewBatch): BatchRecord {
  return {
    ...batch,
    revision: 0,
    status: 'validating',
    model: null,
    errors: null,
    outputFileId: null,
    errorFileId: null,
    requestCounts: noCounts,
    usage: null,
    inProgressAt: null,
    finalizingAt: null,
    completedAt: null,
    failedAt: null,
    expiredAt: null,
    cancellingAt: null,
    cancelledAt: null,
  };
}

/** What the batch of a record was created with; without the webhook, which is the record's to know. */
export function newBatchOf(record: BatchRecord): NewBatch {
  return {
    id: record.id,
    projectId: record.projectId,
    endpoint: record.endpoint,
    completionWindow: record.completionWindow,
    inputFileId: record.inputFileId,
    resultFileIds: record.resultFileIds,
    outputExpiresAfterSeconds: record.outputExpiresAfterSeconds,
    metadata: record.metadata,
    ...(record.resultForm !== undefined && { resultForm: record.resultForm }),
    createdAt: record.createdAt,
    expiresAt: record.expiresAt,
  };
}

/**
 * The record after an event. Returns *the same object* when the event has already taken effect or
 * comes too late to matter; the caller then has nothing to write.
 */
export function transition(record: BatchRecord, event: BatchEvent): BatchRecord {
  const changes = changesOf(record, inOrder(record, event));
  return changes === undefined ? record : { ...record, ...changes, revision: record.revision + 1 };
}

/** The event, not earlier than what the record tells of: it may come from another machine's clock. */
function inOrder(record: BatchRecord, event: BatchEvent): BatchEvent {
  const { createdAt, inProgressAt, finalizingAt, cancellingAt } = record;
  const latest = Math.max(createdAt, inProgressAt ?? 0, finalizingAt ?? 0, cancellingAt ?? 0);
  return event.type === 'end_decided'
    ? { ...event, end: { ...event.end, at: Math.max(latest, event.end.at) } }
    : { ...event, at: Math.max(latest, event.at) };
}

type Changes = Partial<BatchRecord> | undefined;

function changesOf(record: BatchRecord, event: BatchEvent): Changes {
  switch (event.type) {
    case 'validation_passed':
      return onValidationPassed(record, event);
    case 'validation_failed':
      return record.status === 'validating'
        ? { status: 'failed', failedAt: event.at, errors: event.errors }
        : undefined;
    case 'end_decided':
      return onEndDecided(record, event.end);
    case 'finalized':
      return isTerminal(record.status)
        ? undefined
        : { ...event.result, ...terminalChanges(event.reason, event.at) };
  }
}

function onValidationPassed(
  record: BatchRecord,
  event: Extract<BatchEvent, { type: 'validation_passed' }>,
): Changes {
  if (record.status !== 'validating') {
    return undefined;
  }
  const { at, total, model, onlyShardBytes } = event;
  return {
    status: 'in_progress',
    inProgressAt: at,
    model,
    requestCounts: { ...noCounts, total },
    ...(onlyShardBytes !== undefined && { onlyShardBytes }),
  };
}

function onEndDecided(record: BatchRecord, end: BatchEnd): Changes {
  if (record.status !== 'validating' && record.status !== 'in_progress') {
    return undefined;
  }
  switch (end.reason) {
    case 'cancelled':
      return { status: 'cancelling', cancellingAt: end.at };
    case 'completed':
    case 'expired':
    case 'failed':
      // Before it is in progress there is nothing to finalize; the next event says why it failed.
      return record.status === 'in_progress'
        ? { status: 'finalizing', finalizingAt: end.at }
        : undefined;
  }
}

function terminalChanges(reason: EndReason, at: number): Changes {
  switch (reason) {
    case 'completed':
      return { status: 'completed', completedAt: at };
    case 'cancelled':
      return { status: 'cancelled', cancelledAt: at };
    case 'expired':
      return { status: 'expired', expiredAt: at };
    case 'failed':
      return { status: 'failed', failedAt: at };
  }
}
