/** Final result of a request line, and the line that says so. */
import type { EndReason } from './batch';

/** The one-byte kind of a result line in a segment's index. The numbers are stored: never reuse one. */
export const outcomeKinds = {
  completed: 1,
  failed: 2,
  cancelled: 3,
  expired: 4,
  /** Unlike a failed one it never ran: its batch failed. */
  batchFailed: 5,
} as const;
export type Outcome = keyof typeof outcomeKinds;

/** Completed lines go to the output file, all others to the error file. */
export function isOutput(kind: number): boolean {
  return kind === outcomeKinds.completed;
}

/** Why a line has no answer (OpenAI Batch: `error` of a result line). */
export interface LineFailure {
  readonly code: string;
  readonly message: string;
}

/** A line whose answer was damaged in the store after all lines of its shard had one. */
export const lostFailure: LineFailure = {
  code: 'result_lost',
  message:
    'The answer to this request was lost: the object store damaged it before the files of the batch were written.',
};

/** How a batch ends that has lines without an answer. */
export type EarlyEndReason = Exclude<EndReason, 'completed'>;

/** The kind of a line that never ran because its batch ended. */
export const unansweredKinds: Readonly<Record<EarlyEndReason, number>> = {
  cancelled: outcomeKinds.cancelled,
  expired: outcomeKinds.expired,
  failed: outcomeKinds.batchFailed,
};

/** What such a line says. */
export const unansweredFailures: Readonly<Record<EarlyEndReason, LineFailure>> = {
  cancelled: {
    code: 'batch_cancelled',
    message: 'This request was not executed because the batch was cancelled.',
  },
  expired: {
    code: 'batch_expired',
    message: 'This request could not be executed before the completion window expired.',
  },
  failed: {
    code: 'batch_failed',
    message: 'This request was not executed because the batch failed.',
  },
};
