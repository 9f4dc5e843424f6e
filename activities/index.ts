/**
 * What the worker does on Temporal's behalf. Activities are functions over ports; each says in its
 * header why it may be repeated, how it heartbeats, what it resumes from and what makes it fail.
 */
import {
  isTerminal,
  type BatchEnd,
  type BatchRecord,
  type NewBatch,
  type TerminalStatus,
} from '../src/domain/batch';
import { Limiter } from '../src/domain/limiter';
import {
  refOf,
  type BatchRef,
  type CloseShardInput,
  type ConcludedBatch,
  type ConcludeInput,
  type DecideEndInput,
  type FinalizeInput,
  type OpenBatchResult,
  type PreparedBatch,
  type RecoveredPlan,
  type RecoveryResult,
  type ScheduledWorkflowInput,
  type SliceInput,
  type SliceResult,
  type SweepResult,
  type TakeTurnInput,
  type TakeTurnResult,
  type ValidationResult,
} from '../src/domain/workflow-contract';
import { cleanUp } from './clean-up';
import { closeShard } from './close-shard';
import { concludeBatch } from './conclude-batch';
import { decideEnd } from './decide-end';
import type { ActivityDeps } from './deps';
import { finalizeBatch } from './finalize-batch';
import { heartbeating } from './heartbeating';
import { removingLateWrites } from './late-writes';
import { openBatch } from './open-batch';
import { recoverBatches } from './recover-batches';
import { recoverPlan } from './recover-plan';
import { runSlice } from './run-slice';
import { sweep } from './sweep';
import { takeTurn } from './take-turn';
import { validateAndPlan } from './validate-and-plan';

export type { ActivityDeps } from './deps';
export { EndWatch } from './end-watch';
export type { HeldBatch } from './held-batches';
export type { NotificationDeps } from './notification-deps';
export { createNotificationActivities, type NotificationActivities } from './notifications';
export { ProgressReporter } from './progress-reporter';
export { openFileCheck } from './threaded-file-check';

/** Activities of the orchestrator role. */
export interface ControlActivities {
  openBatch(batch: NewBatch): Promise<OpenBatchResult>;
  validateAndPlan(ref: BatchRef): Promise<ValidationResult>;
  takeTurn(input: TakeTurnInput): Promise<TakeTurnResult>;
  decideEnd(input: DecideEndInput): Promise<BatchEnd>;
  closeShard(input: CloseShardInput): Promise<void>;
  finalizeBatch(input: FinalizeInput): Promise<void>;
  cleanUp(ref: BatchRef): Promise<void>;
  /** {@link openBatch}, and {@link validateAndPlan} unless the batch has ended. */
  prepareBatch(batch: NewBatch): Promise<PreparedBatch>;
  concludeBatch(input: ConcludeInput): Promise<ConcludedBatch>;
  sweep(): Promise<SweepResult>;
  recoverBatches(input: ScheduledWorkflowInput): Promise<RecoveryResult>;
  recoverPlan(ref: BatchRef): Promise<RecoveredPlan>;
}

/** Activities of the inference role. */
export interface InferenceActivities {
  runSlice(input: SliceInput): Promise<SliceResult>;
}

/** Each takes up to 110 MB at five million lines. */
const largeValidationsMax = 2;

export function createControlActivities(deps: ActivityDeps): ControlActivities {
  const turns = new Limiter(largeValidationsMax);
  const open = async (batch: NewBatch): Promise<BatchRecord | undefined> =>
    await heartbeating({ step: 'writing the record' }, async () => await openBatch(deps, batch));
  const validate = async (ref: BatchRef, known?: BatchRecord): Promise<ValidationResult> =>
    await removingLateWrites(
      deps,
      ref,
      async (onRecord) => await validateAndPlan(deps, ref, { known, onRecord, turns }),
    );
  return {
    openBatch: async (batch) => ({ endedAs: endOf(await open(batch)) }),
    validateAndPlan: async (ref) => await validate(ref),
    prepareBatch: async (batch) => {
      const known = await open(batch);
      const endedAs = endOf(known);
      const ref = refOf(batch);
      return endedAs === null ? { endedAs, validation: await validate(ref, known) } : { endedAs };
    },
    concludeBatch: async (input) => await concludeBatch(deps, input),
    takeTurn: async (input) => await takeTurn(deps, input),
    decideEnd: async (input) =>
      await heartbeating(
        { step: 'deciding the end' },
        async () => (await decideEnd(deps, input)).end,
      ),
    closeShard: async (input) => {
      await removingLateWrites(deps, input.shard, async () => {
        await closeShard(deps, input);
      });
    },
    finalizeBatch: async (input) => {
      await finalizeBatch(deps, input);
    },
    cleanUp: async (ref) => {
      await cleanUp(deps, ref);
    },
    sweep: async () => await sweep(deps),
    recoverBatches: async (input) => await recoverBatches(deps, input),
    recoverPlan: async (ref) => await recoverPlan(deps, ref),
  };
}

function endOf(record: BatchRecord | undefined): TerminalStatus | null {
  return record !== undefined && isTerminal(record.status) ? record.status : null;
}

export function createInferenceActivities(deps: ActivityDeps): InferenceActivities {
  return {
    runSlice: async (input) =>
      await removingLateWrites(
        deps,
        input,
        async () => await runSlice(deps, input),
        ({ concluded }) => concluded !== undefined,
      ),
  };
}
