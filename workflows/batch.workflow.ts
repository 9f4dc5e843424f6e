/**
 * One batch, from its record to its result.
 *
 * 1. `openBatch` writes the record if the API had no time to; a terminal record ends the workflow.
 * 2. `validateAndPlan` reads the input once. A bad file fails the batch; nothing goes upstream.
 *    Where the number of running batches is limited, `takeTurn` then waits until this one may run.
 * 3. Child workflows run the shards, a bounded number at a time, until each is sealed.
 * 4. `decideEnd` settles how the batch ends. Four things may ask for it — the last seal, a cancel
 *    through the API, the completion window, Cancel in the Web UI — and the first one holds,
 *    whichever process it happens in: the `end` object in the store decides, not this workflow.
 * 5. After a cancel or an expiry, `closeShard` seals what is not sealed, without the upstream.
 * 6. `finalizeBatch` strings the sealed objects together and writes the terminal record.
 * 7. Child workflows that nobody waits for tell webhooks and recipients of e-mail.
 * 8. `cleanUp` removes what only a running batch needs.
 *
 * A run that takes the place of one that was lost is told in its input when the batch is not to go on
 * but to end: then, after step 1, come steps 4 to 8.
 *
 * Steps 4 to 8 always run, in a scope that cannot be cancelled. A child that somebody cancelled or
 * terminated by hand is run again: a batch never completes with lines missing.
 */
import {
  CancellationScope,
  ChildWorkflowCancellationType,
  ChildWorkflowFailure,
  ParentClosePolicy,
  TemporalFailure,
  defineSignal,
  executeChild,
  isCancellation,
  log,
  patched,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { BatchEnd } from '../src/domain/batch';
import { shardWorkflowId } from '../src/domain/ids';
import { shardsInParallelMax } from '../src/domain/limits';
import type { EarlyEndReason } from '../src/domain/outcome';
import {
  cancelSignalName,
  taskQueues,
  type BatchRecovery,
  type BatchRef,
  type BatchWorkflowInput,
  type BatchWorkflowResult,
  type ConcludedBatch,
  type RecoveredPlan,
  type ShardRef,
  type SliceResult,
  type TaskQueues,
  type ValidationResult,
} from '../src/domain/workflow-contract';
import { controlActivities } from './activity-options';
import { BatchView } from './batch-view';
import { shardWorkflow } from './shard.workflow';
import { planAndStartNotifications, startNotifications } from './start-notifications';

const cancelSignal = defineSignal(cancelSignalName);

/** Around the call, not within: awaiting it alone would already change the order of commands. */
const notificationsPatch = 'notifications';

/** A timer of no time would let shards start before it fires. */
const lateStartPatch = 'late-start';

/** By then most batches of one shard have ended, also where hundreds were created at once. */
const showLateMs = 120_000;

/** Of 1 to 5, the lowest first; 3 without. */
const endingPriority = 2;

/** Between two runs of a child that ended without a seal, so that a fault does not become a storm. */
const childRerunDelay = '5s';

export async function batchWorkflow(input: BatchWorkflowInput): Promise<BatchWorkflowResult> {
  return await new BatchRun(input).run();
}

type AskedReason = 'cancelled' | 'expired';

class BatchRun {
  private readonly ref: BatchRef;
  private readonly queues: TaskQueues;
  private readonly view: BatchView;
  private readonly work = new CancellationScope();
  private readonly expiry = new CancellationScope();
  /** Set as soon as somebody asks for an end before all shards are sealed. */
  private decided: Promise<BatchEnd> | undefined;
  private shardCount = 0;
  private isInvalid = false;
  /** The record was terminal before this run began. */
  private hasEnded = false;
  private isConcluding = false;
  /** Set where the slice of the only shard has ended the batch. */
  private concluded: ConcludedBatch | undefined;
  /** Until the shard is run for the first time. */
  private heldAs: string | undefined;
  private readonly unsealed = new Set<number>();

  constructor(private readonly input: BatchWorkflowInput) {
    const { projectId, id } = input.batch;
    this.ref = { projectId, batchId: id };
    this.queues = taskQueues(input.taskQueuePrefix);
    this.view = new BatchView(input);
  }

  async run(): Promise<BatchWorkflowResult> {
    const description = 'Ends the batch as cancelled; what is answered is kept.';
    setHandler(
      cancelSignal,
      () => {
        this.ask('cancelled');
      },
      { description },
    );
    if (this.input.recovery === undefined && this.input.fewSteps === true) {
      return await this.runUntilEnd(async () => {
        await this.prepareAndRun();
      });
    }
    const opened = await CancellationScope.nonCancellable(
      async () => await this.control('write the record').openBatch(this.input.batch),
    );
    if (opened.endedAs !== null) {
      if (patched(notificationsPatch)) {
        await planAndStartNotifications(this.ref, this.input.taskQueuePrefix);
      }
      await this.control('remove the ledger').cleanUp(this.ref);
      return { status: opened.endedAs };
    }
    const { recovery } = this.input;
    if (recovery !== undefined) {
      return await CancellationScope.nonCancellable(async () => await this.recover(recovery));
    }
    return await this.runUntilEnd(async () => {
      await this.validateAndRun();
    });
  }

  /** Does the work of the batch until that is done or an end is asked for; then ends the batch. */
  private async runUntilEnd(work: () => Promise<void>): Promise<BatchWorkflowResult> {
    this.startExpiryTimer();
    // Cancel in the Web UI or the CLI cancels the root scope.
    CancellationScope.current().cancelRequested.catch(() => {
      this.ask('cancelled');
    });
    try {
      await this.work.run(work);
    } catch (error) {
      // While the batch ends it does not matter how its work broke off — a dead worker's activity
      // is not run again once it was cancelled: the ledger has what was answered.
      if (!isCancellation(error) && !(this.isEnding() && error instanceof TemporalFailure)) {
        throw error;
      }
    }
    return await CancellationScope.nonCancellable(async () => await this.finish());
  }

  /** Ends a batch whose workflow was lost: what is answered is kept, nothing more goes upstream. */
  private async recover({ reason }: BatchRecovery): Promise<BatchWorkflowResult> {
    this.decided ??= this.decideEnd(reason);
    const end = await this.decided;
    const plan = await this.control('wait for the slices of the lost run').recoverPlan(this.ref);
    if (plan.shardCount > 0) {
      this.adopt(plan);
    } else if (end.reason === 'failed' && reason !== 'failed') {
      // The input was found bad, and nobody had the time to record why.
      await this.validate();
    }
    return await this.finish();
  }

  /** Asks for an early end; the first one to reach the store holds. */
  private ask(reason: AskedReason): void {
    if (this.isConcluding) {
      return;
    }
    this.decided ??= CancellationScope.nonCancellable(async () => await this.decideEnd(reason));
    // `finish` awaits it; until then a failure must not count as unhandled.
    this.decided.catch(() => undefined);
    this.work.cancel();
  }

  private startExpiryTimer(): void {
    const remainingMs = this.remainingMs();
    if (remainingMs === 0 && patched(lateStartPatch)) {
      this.ask('expired');
      return;
    }
    void this.expiry
      .run(async () => {
        if (this.input.showsLate === true && remainingMs > showLateMs) {
          await sleep(showLateMs, { summary: 'until a small batch is shown in progress' });
          this.view.waitNoLonger();
        }
        // Looked at again: without workers, the first timer may have been heard of much later.
        await sleep(this.remainingMs(), { summary: 'completion window' });
        this.ask('expired');
      })
      .catch((error: unknown) => {
        if (!isCancellation(error)) {
          log.error('The expiry timer failed', { error });
        }
      });
  }

  /** By the engine's clock; the batch's own times are by that of the API that has made them. */
  private remainingMs(): number {
    const startMs = workflowInfo().startTime.getTime();
    const { batch, startedAtMs = startMs } = this.input;
    return Math.max(0, batch.expiresAt * 1000 + startMs - startedAtMs - Date.now());
  }

  private async prepareAndRun(): Promise<void> {
    // Not cancelled but told by the `end` object, as below.
    const prepared = await CancellationScope.nonCancellable(
      async () => await this.control('validate and plan').prepareBatch(this.input.batch),
    );
    this.hasEnded = prepared.endedAs !== null;
    if (prepared.endedAs === null && this.hasShards(prepared.validation)) {
      await this.waitForTurn();
      await this.runShards();
    }
  }

  private async validateAndRun(): Promise<void> {
    if (await this.validate()) {
      await this.waitForTurn();
      await this.runShards();
    }
  }

  /** Whether there are shards to run. */
  private async validate(): Promise<boolean> {
    // Not cancelled but told by the `end` object, so that it is run again should its worker die:
    // only its verdict says whether there are shards to close.
    const validation = await CancellationScope.nonCancellable(
      async () => await this.control('validate and plan').validateAndPlan(this.ref),
    );
    return this.hasShards(validation);
  }

  private hasShards(validation: ValidationResult): boolean {
    if (validation.verdict !== 'valid') {
      this.isInvalid = validation.verdict === 'invalid';
      return false;
    }
    this.adopt(validation);
    this.heldAs = validation.heldAs;
    return true;
  }

  private adopt({ shardCount, total, model }: RecoveredPlan): void {
    this.shardCount = shardCount;
    this.view.validated({ shardCount, total, model });
    for (let index = 0; index < shardCount; index++) {
      this.unsealed.add(index);
    }
  }

  private async waitForTurn(): Promise<void> {
    const { runningBatchesMax } = this.input;
    if (runningBatchesMax === undefined) {
      return;
    }
    const { ref } = this;
    const turn = await this.control('wait for its turn').takeTurn({ ref, runningBatchesMax });
    if (turn.ended) {
      this.ask('cancelled');
    }
  }

  private async runShards(): Promise<void> {
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < this.shardCount && !this.isEnding()) {
        const index = next;
        next += 1;
        await this.runShard(index);
      }
    };
    const laneCount = Math.min(shardsInParallelMax, this.shardCount);
    const lanes = await Promise.allSettled(Array.from({ length: laneCount }, lane));
    // Only now that every slice has returned: what it still had to commit is in the ledger.
    for (const result of lanes) {
      if (result.status === 'rejected') {
        throw result.reason;
      }
    }
  }

  /** Runs a shard until it is sealed or the batch ends. */
  private async runShard(index: number): Promise<void> {
    while (!this.isEnding()) {
      const result = await this.runChild(index);
      if (result?.sealed === true) {
        this.unsealed.delete(index);
        this.view.sealed(result.counts);
        this.concluded = result.concluded;
        return;
      }
      if (result?.ended === true) {
        // The end was decided elsewhere, and its signal was lost or is still on its way.
        this.ask('cancelled');
      }
      if (!this.isEnding()) {
        await sleep(childRerunDelay, { summary: `run shard ${index} again` });
      }
    }
  }

  /** `undefined` when the child was cancelled or terminated by hand. */
  private async runChild(index: number): Promise<SliceResult | undefined> {
    const shard: ShardRef = { ...this.ref, shardIndex: index };
    const inferenceTaskQueue =
      this.shardCount === 1 ? this.queues.inferenceShort : this.queues.inference;
    const isOnly = this.shardCount === 1 && this.input.fewSteps === true;
    const { heldAs } = this;
    this.heldAs = undefined;
    try {
      return await executeChild(shardWorkflow, {
        workflowId: shardWorkflowId(this.ref.batchId, index),
        args: [
          {
            shard,
            inferenceTaskQueue,
            ...(isOnly && { isOnly }),
            ...(heldAs !== undefined && { heldAs }),
          },
        ],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        cancellationType: ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        staticSummary: `shard ${index} of ${this.shardCount}`,
      });
    } catch (error) {
      if (this.isEnding() || !(error instanceof ChildWorkflowFailure)) {
        throw error;
      }
      log.warn('A shard workflow ended without its shard being sealed; it is run again', {
        shard: index,
        error,
      });
      return undefined;
    }
  }

  /** Somebody asked for an early end, through whatever door. */
  private isEnding(): boolean {
    return this.decided !== undefined || CancellationScope.current().consideredCancelled;
  }

  private async finish(): Promise<BatchWorkflowResult> {
    this.expiry.cancel();
    return this.input.fewSteps === true ? await this.conclude() : await this.finishInSteps();
  }

  private async conclude(): Promise<BatchWorkflowResult> {
    const { ref } = this;
    const { endedAs, targets } = this.concluded ?? (await this.writeEnd());
    this.isConcluding = true;
    this.view.ended(endedAs);
    if (targets.length > 0) {
      await startNotifications(targets, ref, this.input.taskQueuePrefix);
      await this.ending('remove the ledger').cleanUp(ref);
    }
    return { status: endedAs };
  }

  private async writeEnd(): Promise<ConcludedBatch> {
    const { ref, shardCount } = this;
    const isComplete = this.decided === undefined && this.isComplete;
    if (!isComplete && !this.isInvalid && !this.hasEnded) {
      const { reason } = await this.settleEnd();
      this.view.ending(reason);
      if (reason !== 'completed') {
        await this.closeShards(reason);
      }
    } else if (shardCount > 1) {
      this.view.ending('completed');
    }
    this.isConcluding = true;
    const step = { ref, shardCount, isComplete };
    return await this.ending('write the files').concludeBatch(step);
  }

  private async finishInSteps(): Promise<BatchWorkflowResult> {
    const end = this.isInvalid ? { reason: 'failed' as const } : await this.settleEnd();
    this.view.ending(end.reason);
    if (!this.isInvalid) {
      if (end.reason !== 'completed') {
        await this.closeShards(end.reason);
      }
      const { ref, shardCount } = this;
      await this.control('write the files').finalizeBatch({ ref, shardCount });
    }
    this.view.ended(end.reason);
    if (patched(notificationsPatch)) {
      await planAndStartNotifications(this.ref, this.input.taskQueuePrefix);
    }
    await this.control('remove the ledger').cleanUp(this.ref);
    return { status: end.reason };
  }

  /** Without all seals there was an end that this workflow has not heard of: it holds. */
  private async settleEnd(): Promise<BatchEnd> {
    this.decided ??= this.decideEnd(this.isComplete ? 'completed' : 'cancelled');
    return await this.decided;
  }

  /** Every shard is sealed. */
  private get isComplete(): boolean {
    return this.shardCount > 0 && this.unsealed.size === 0;
  }

  private async closeShards(reason: EarlyEndReason): Promise<void> {
    const remaining = [...this.unsealed];
    const lane = async (): Promise<void> => {
      for (let index = remaining.shift(); index !== undefined; index = remaining.shift()) {
        const shard: ShardRef = { ...this.ref, shardIndex: index };
        await this.control(`close shard ${index}`).closeShard({ shard, reason });
      }
    };
    await Promise.all(Array.from({ length: shardsInParallelMax }, lane));
  }

  private async decideEnd(reason: BatchEnd['reason']): Promise<BatchEnd> {
    return await this.control(`end: ${reason}`).decideEnd({ ref: this.ref, reason });
  }

  /** What a batch ends with goes first, so that batches end before others begin. */
  private ending(summary: string): ReturnType<typeof controlActivities> {
    return controlActivities(this.queues.orchestrator, summary, { priorityKey: endingPriority });
  }

  private control(summary: string): ReturnType<typeof controlActivities> {
    return controlActivities(this.queues.orchestrator, summary);
  }
}
