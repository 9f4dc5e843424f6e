/**
 * Runs requests of one shard for a while and commits their result lines.
 *
 * Idempotent: takes the shard's next epoch; whatever an older run still writes does not count.
 * Heartbeats every second with {@link SliceHeartbeat}, also while every request is slow.
 * Resumes from the segments that its epoch names; repeats what was in flight and at most one flush.
 * Never fails for good: every fault is retried by the workflow.
 *
 * A slice stops taking lines when its time is up, the batch has ended, or it was told to stop. What
 * is in flight then gets time to finish — all that it needs when only the time is up, a grace
 * otherwise — and what has finished is committed before the slice returns. It returns, rather than
 * throws, also when it was cancelled: a failed attempt would hold the shard back.
 */
import { Context } from '@temporalio/activity';
import { earlierAttemptsMax, segmentCountMax } from '../src/domain/limits';
import { fileKeys } from '../src/domain/object-keys';
import type { LineAttempts } from '../src/domain/retry';
import type {
  EarlierAttempts,
  ShardRef,
  SliceInput,
  SliceResult,
} from '../src/domain/workflow-contract';
import type { SegmentLine } from '../src/ledger/segment';
import type { SealedAtOnce } from '../src/ledger/shard-ledger';
import type { Logger } from '../src/observability/logger';
import type { DispatchSession, LineOutcome, LineRequest } from '../src/upstream/dispatcher';
import type { ModelRoute } from '../src/config/upstreams';
import { concludeBatch } from './conclude-batch';
import type { ActivityDeps } from './deps';
import { heartbeating } from './heartbeating';
import { LineTargets, type LineTarget } from './line-targets';
import {
  heldShard,
  loadShard,
  openShard,
  sealedResult,
  type OpenShard,
  type PlannedShard,
} from './open-shard';
import type { ShardProgress } from './progress-reporter';
import { inPrefixOrder } from './prefix-order';
import { toSegmentLine } from './segment-line';
import { SegmentWriter } from './segment-writer';
import { unansweredLines, type UnansweredLine } from './unanswered-lines';

/** Heartbeat details, for the operator who looks at the pending activity. */
interface SliceHeartbeat {
  readonly shard: number;
  readonly epoch: number;
  readonly lines: number;
  readonly completed: number;
  readonly failed: number;
  readonly inFlight: number;
  /** Objects of the ledger that turned out to be damaged or missing. */
  readonly damaged: number;
}

const heartbeatIntervalMs = 1_000;
/** Small segments worth merging before the shard is handed on. */
const handOverSegmentCount = 8;

/** `interrupted`: paused, reset or timed out by the engine, which wants to see the attempt fail. */
type StopReason = 'time_up' | 'ended' | 'cancelled' | 'shutdown' | 'interrupted' | 'failed';

export async function runSlice(deps: ActivityDeps, input: SliceInput): Promise<SliceResult> {
  const { earlierAttempts = {}, isFirst = false, isOnly = false, heldAs, ...ref } = input;
  const begunAtMs = deps.now();
  const step = { shard: ref.shardIndex, step: 'taking over' };
  // Before the first wait: later there may be none to be found.
  const context = Context.current();
  const isNew = isFirst && context.info.attempt === 1;
  const taken = await heartbeating(step, async () => {
    const held = isNew && heldAs !== undefined ? heldShard(deps, ref, heldAs) : undefined;
    const planned = held ?? (await loadShard(deps, ref));
    const only = planned && onlyRouteOf(deps, planned);
    return planned && { only, opened: await openShard(deps, planned, isNew) };
  });
  if (taken === undefined) {
    return { sealed: false, ended: true, counts: { completed: 0, failed: 0 } };
  }
  const { only, opened } = taken;
  if (opened.seal !== undefined) {
    return sealedResult(opened.seal);
  }
  const endsBatch = isOnly && deps.settings.roles.includes('orchestrator');
  const slice = new Slice(deps, opened.open, { only, earlierAttempts, endsBatch, context });
  const result = await slice.run();
  const { sealedAtOnce } = slice;
  if (sealedAtOnce === undefined) {
    return result;
  }
  const { projectId, batchId } = ref;
  const end = { ref: { projectId, batchId }, shardCount: 1, isComplete: true };
  const { batch } = opened.open;
  return {
    ...result,
    concluded: await concludeBatch(deps, end, { batch, begunAtMs, context, ...sealedAtOnce }),
  };
}

/** Before the shard is taken over: an epoch for each attempt would be too many. */
function onlyRouteOf(deps: ActivityDeps, { model, ref }: PlannedShard): ModelRoute | undefined {
  const route = model === null ? undefined : deps.routes.get(model);
  if (model !== null && route === undefined) {
    throw notServed(ref);
  }
  return route;
}

function notServed({ batchId }: ShardRef): Error {
  return new Error(
    `No upstream serves the model of the batch any more; add it to the upstreams file [batch=${batchId}]`,
  );
}

class Slice {
  /** Lines without an outcome, by ordinal. */
  private readonly pending = new Map<number, UnansweredLine>();
  /** Failed attempts at lines that were given up, by ordinal. */
  private readonly givenUp = new Map<string, LineAttempts>();
  private readonly reasons = new Set<StopReason>();
  private readonly timers: NodeJS.Timeout[] = [];
  private readonly targets: LineTargets;
  private readonly writer: SegmentWriter;
  private readonly progress: ShardProgress;
  private readonly log: Logger;
  private atOnce: SealedAtOnce | undefined;
  /** Wakes {@link run} from whatever it waits for, to look at what has changed. */
  private wake: () => void = () => undefined;

  constructor(
    private readonly deps: ActivityDeps,
    private readonly open: OpenShard,
    private readonly input: {
      /** Where all lines go; `undefined` when each names its model. */
      readonly only: ModelRoute | undefined;
      readonly earlierAttempts: EarlierAttempts;
      /** If all lines are answered before anything is committed. */
      readonly endsBatch: boolean;
      readonly context: Context;
    },
  ) {
    const { ref, ledger, shardCount } = open;
    const slice = { batch: ref.batchId, shard: ref.shardIndex, slice: ledger.epoch };
    this.log = deps.logger.child(slice);
    this.progress = deps.progress.open(ref, shardCount === 1);
    this.targets = new LineTargets({
      only: input.only,
      routes: deps.routes,
      open: (route) => this.openSession(route),
    });
    this.writer = new SegmentWriter({
      budget: deps.budget,
      commit: async (lines) => {
        await this.commit(lines);
      },
      onFailure: () => {
        this.stop('failed', 0);
      },
    });
  }

  private openSession(route: ModelRoute): DispatchSession {
    const { batch, ref } = this.open;
    return this.deps.dispatcher.open({
      projectId: ref.projectId,
      batchId: ref.batchId,
      route,
      endpoint: batch.endpoint,
      onOutcome: (request, outcome) => {
        this.onOutcome(request, outcome);
      },
      onGivenUp: ({ ordinal }, attempts) => {
        if (this.givenUp.size < earlierAttemptsMax) {
          this.givenUp.set(String(ordinal), attempts);
        }
      },
    });
  }

  /** Set when the shard took no commit: its sealed objects are the batch's files. */
  get sealedAtOnce(): SealedAtOnce | undefined {
    return this.atOnce;
  }

  async run(): Promise<SliceResult> {
    const { ledger, shard } = this.open;
    this.log.info({ answered: ledger.lineCount, lines: shard.lineCount }, 'slice has started');
    const release = this.startWatching();
    try {
      const fault = await this.takeLines();
      await this.waitUntil(() => this.isStopped || this.pending.size === 0);
      await this.targets.drain();
      await this.sealAtOnce();
      await this.writer.flush();
      if (fault !== undefined) {
        throw fault.cause;
      }
      const result = await this.conclude();
      const { sealed, counts, damaged = 0 } = result;
      const stopped = [...this.reasons];
      this.log.info({ sealed, ...counts, damaged, stopped }, 'slice has ended');
      return result;
    } finally {
      this.targets.abort();
      await this.writer.close();
      this.pending.forEach((line) => {
        this.deps.budget.remove(sizeOf(line));
      });
      await this.progress.close();
      // Last: until here a slow store must not look like a dead worker.
      release();
    }
  }

  /** @returns why it had to stop reading: what is in flight by then is still worth its answers. */
  private async takeLines(): Promise<{ readonly cause: unknown } | undefined> {
    try {
      await this.takeUnanswered();
      return undefined;
    } catch (cause) {
      this.stop('failed');
      return { cause };
    }
  }

  private async takeUnanswered(): Promise<void> {
    for await (const lines of this.linesToSend()) {
      for (const line of lines) {
        const target = this.targets.of(line.body);
        if (target === undefined) {
          continue;
        }
        if (!(this.hasRoom(target) || (await this.waitForRoom(target)))) {
          return;
        }
        if (!target.isPassedOver) {
          this.submit(line, target);
        }
      }
    }
  }

  private linesToSend(): AsyncGenerator<readonly UnansweredLine[]> {
    const { budget, settings } = this.deps;
    const lines = unansweredLines(this.deps, this.open);
    return settings.requestOrder === 'prefix' ? inPrefixOrder(lines, budget) : lines;
  }

  private get isStopped(): boolean {
    return this.reasons.size > 0;
  }

  private hasRoom({ session }: LineTarget): boolean {
    return (
      !this.isStopped &&
      !this.writer.isLate &&
      session.hasRoom() &&
      (this.deps.budget.hasRoom() || (this.pending.size === 0 && this.writer.isEmpty))
    );
  }

  /** Whether the next line may be looked at; not, when the slice was stopped meanwhile. */
  private async waitForRoom(target: LineTarget): Promise<boolean> {
    while (!this.isStopped && !this.hasRoom(target) && !target.isPassedOver) {
      await this.waitForChange(target);
    }
    return !this.isStopped;
  }

  /** A slice that holds nothing may take one line, so that none waits for the others for ever. */
  private async waitForChange(target: LineTarget): Promise<void> {
    const { session } = target;
    if (!session.hasRoom()) {
      await (this.targets.haveSeveral ? target.waitForRoomOrStall() : session.waitForRoom());
    } else if (this.writer.isLate) {
      await this.writer.flush();
    } else if (this.pending.size > 0) {
      await this.waitForBudget();
    } else {
      await this.writer.flush();
    }
  }

  /** A race with a promise that lives as long as the slice would keep every round's result. */
  private async waitForBudget(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      void this.deps.budget.waitForRoom().then(resolve);
    });
  }

  private async waitUntil(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
  }

  private submit(line: UnansweredLine, { session }: LineTarget): void {
    this.pending.set(line.ordinal, line);
    this.deps.budget.add(sizeOf(line));
    const { ordinal, requestId, body } = line;
    const earlierAttempts = this.input.earlierAttempts[ordinal];
    session.submit({ ordinal, requestId, body, earlierAttempts });
  }

  private onOutcome(request: LineRequest, outcome: LineOutcome): void {
    const line = this.pending.get(request.ordinal);
    if (line === undefined) {
      return;
    }
    this.pending.delete(request.ordinal);
    this.deps.budget.remove(sizeOf(line));
    this.writer.add(toSegmentLine(line, outcome, this.open.batch.resultForm));
    if (this.pending.size === 0) {
      this.wake();
    }
  }

  private async commit(lines: readonly SegmentLine[]): Promise<void> {
    const { ledger } = this.open;
    await ledger.commit(lines);
    this.progress.update(ledger.epoch, ledger);
    await ledger.compact(segmentCountMax);
  }

  private async conclude(): Promise<SliceResult> {
    const { ledger } = this.open;
    const seal = this.atOnce?.seal ?? (await ledger.seal());
    if (seal !== undefined) {
      if (this.atOnce === undefined) {
        this.progress.update(ledger.epoch, seal);
      }
      return { ...sealedResult(seal), ...this.damaged() };
    }
    if (this.reasons.has('time_up')) {
      await ledger.compact(handOverSegmentCount);
    }
    if (this.targets.missingModels.length > 0) {
      throw notServed(this.open.ref);
    }
    if (this.reasons.has('interrupted')) {
      throw this.input.context.cancellationSignal.reason;
    }
    return {
      sealed: false,
      ended: this.reasons.has('ended'),
      counts: ledger.counts,
      ...this.damaged(),
      ...(this.givenUp.size > 0 && { earlierAttempts: Object.fromEntries(this.givenUp) }),
    };
  }

  /** The files of a batch that took less than a second are written without a detour. */
  private async sealAtOnce(): Promise<void> {
    const { batch, ledger } = this.open;
    const lines = this.input.endsBatch ? this.writer.takeBack() : undefined;
    if (lines === undefined) {
      return;
    }
    const { output, error } = batch.resultFileIds;
    this.atOnce = await ledger.sealAtOnce(lines, {
      output: fileKeys(batch.projectId, output).content,
      errors: fileKeys(batch.projectId, error).content,
    });
    if (this.atOnce === undefined) {
      lines.forEach((line) => {
        this.writer.add(line);
      });
    }
  }

  private damaged(): Pick<SliceResult, 'damaged'> {
    const { damagedCount } = this.open.ledger;
    return damagedCount > 0 ? { damaged: damagedCount } : {};
  }

  private stop(reason: StopReason, graceMs?: number): void {
    this.reasons.add(reason);
    void this.targets.drain();
    this.wake();
    if (graceMs !== undefined) {
      this.timers.push(
        setTimeout(() => {
          this.targets.abort();
        }, graceMs),
      );
    }
  }

  private startWatching(): () => void {
    const { deps, open } = this;
    const { context } = this.input;
    const { cancelGraceMs, shutdownGraceMs, sliceDurationMs } = deps.settings;
    const { ledger } = open;
    if (ledger.epoch > 1) {
      // Of an earlier epoch others may have told something else.
      this.progress.update(ledger.epoch, ledger);
    }
    const heartbeat = setInterval(() => {
      context.heartbeat(this.heartbeat());
    }, heartbeatIntervalMs);
    this.timers.push(
      setTimeout(() => {
        this.stop('time_up');
      }, sliceDurationMs),
    );
    const onAbort = (): void => {
      const reason = stopReasonOf(context);
      this.stop(reason, reason === 'cancelled' ? cancelGraceMs : shutdownGraceMs);
    };
    if (context.cancellationSignal.aborted) {
      onAbort();
    }
    context.cancellationSignal.addEventListener('abort', onAbort);
    const unwatch = deps.endWatch.watch(open.ref, () => {
      this.stop('ended', cancelGraceMs);
    });
    return () => {
      unwatch();
      context.cancellationSignal.removeEventListener('abort', onAbort);
      clearInterval(heartbeat);
      this.timers.forEach(clearTimeout);
    };
  }

  private heartbeat(): SliceHeartbeat {
    const { ledger, shard } = this.open;
    return {
      shard: shard.index,
      epoch: ledger.epoch,
      lines: shard.lineCount,
      ...ledger.counts,
      inFlight: this.targets.outstanding,
      damaged: ledger.damagedCount,
    };
  }
}

function stopReasonOf(context: Context): StopReason {
  const details = context.cancellationDetails;
  if (details?.cancelRequested === true) {
    return 'cancelled';
  }
  return details?.workerShutdown === true ? 'shutdown' : 'interrupted';
}

function sizeOf(line: UnansweredLine): number {
  return line.body.length + line.customId.length;
}
