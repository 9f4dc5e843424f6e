/** Everything that was seen while a seed ran: what the checkers judge, and nothing else. */
import type { FileObject } from 'openai/resources';
import type { Batch } from '../local/batches';
import type { JournalEntry } from '../simulator/journal';
import type { BatchInput } from './batch-input';
import type { ClientAction, BatchPlan, SeedPlan } from './plan';
import type { DisruptionKind, Target } from './planned-disruptions';

/** All times are Unix milliseconds. */
export interface Observation {
  readonly plan: SeedPlan;
  readonly startedAt: number;
  readonly batches: readonly BatchObservation[];
  readonly disruptions: readonly Disruption[];
  /** Processes that ended without being told to. */
  readonly crashes: readonly Crash[];
  /** Of the upstream, in the order in which it wrote. */
  readonly journal: readonly JournalEntry[];
  /** Answers of the API with a status above 499 that say that it is at fault itself. */
  readonly apiFaults: readonly string[];
  /** Objects that should not be there, once everything has ended and been cleaned up. */
  readonly leftovers: readonly Leftover[];
}

export interface BatchObservation {
  readonly plan: BatchPlan;
  readonly input: BatchInput;
  /** Each answer to the client's polling, in order; a poll begins after the one before has ended. */
  readonly polls: readonly Poll[];
  readonly actions: readonly DoneAction[];
  /** Batches that the API lists under this one's name; one is right. */
  readonly listed: number;
  /** Present when the batch has such a file. */
  readonly output?: ResultFile;
  readonly errors?: ResultFile;
}

export interface Poll {
  /** When the answer was there. */
  readonly at: number;
  readonly batch: Batch;
}

export interface DoneAction extends Pick<ClientAction, 'kind'> {
  readonly at: number;
  /** What came of it: the status in the answer to a cancel, `refused` or `done`. */
  readonly outcome: string;
}

export interface ResultFile {
  readonly file: FileObject;
  readonly content: Buffer;
}

/** A process that was disturbed, from the signal to the time when it was ready again. */
export interface Disruption {
  readonly target: Target;
  readonly kind: DisruptionKind;
  readonly from: number;
  readonly to: number;
  /** Of a restart: whether the process had to be killed because it did not end. */
  readonly wasKilled: boolean;
}

export interface Crash {
  readonly target: Target;
  readonly at: number;
  readonly how: string;
}

export interface Leftover {
  readonly key: string;
  readonly why: string;
}

/** The batch as it was last seen. */
export function finalBatch({ polls }: Pick<BatchObservation, 'polls'>): Batch | undefined {
  return polls.at(-1)?.batch;
}

const terminalStatuses: readonly string[] = ['completed', 'failed', 'cancelled', 'expired'];

export function isTerminal({ status }: Pick<Batch, 'status'>): boolean {
  return terminalStatuses.includes(status);
}
