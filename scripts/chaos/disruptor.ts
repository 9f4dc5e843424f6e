/** Carries out the plan of kills and outages on a stack, and starts again what has ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { describeExit, type ManagedProcess, type ProcessExit } from '../local/managed-process';
import type { Stack } from '../local/stack';
import type { Crash, Disruption } from './observation';
import { targets, type PlannedDisruption, type Target } from './planned-disruptions';

const startRetryMs = 300;
const restartAfterCrashMs = 500;
/** For how long a process may fail to come up because another one is down. */
const startTimeoutMs = 120_000;

export class Disruptor {
  readonly disruptions: Disruption[] = [];
  readonly crashes: Crash[] = [];
  /** Of every process that was started, unless it was seen to be gone: its number is used again. */
  private readonly pids = new Set<number>();
  private readonly busy = new Map<Target, Promise<void>>();

  constructor(private readonly stack: Stack) {
    targets.forEach((target) => {
      this.notePid(target);
    });
  }

  /** The processes that are alive, or have left one that is. */
  alivePids(): number[] {
    this.forgetGone();
    return [...this.pids];
  }

  /** Forgets what has happened so far. */
  reset(): void {
    this.disruptions.length = 0;
    this.crashes.length = 0;
  }

  /**
   * Resolves when everything planned has happened and all processes run.
   *
   * @param answers resolves when a client sees the first answers, or there will be none.
   */
  async carryOut(
    planned: readonly PlannedDisruption[],
    answers: Promise<unknown>,
    signal: AbortSignal,
  ): Promise<void> {
    await Promise.all(
      planned.map(async (disruption) => {
        await (disruption.from === 'answers' ? answers : undefined);
        await delay(disruption.atMs, undefined, { signal });
        await this.inTurn(disruption.target, async () => {
          await this.disrupt(disruption, signal);
        });
      }),
    );
    // Those that have ended by themselves meanwhile.
    await Promise.all(this.busy.values());
  }

  /** For the stack's `onCrash`. */
  onCrash(process: ManagedProcess, exit: ProcessExit): void {
    const target = targets.find((name) => this.processOf(name) === process);
    if (target === undefined) {
      return;
    }
    this.crashes.push({ target, at: Date.now(), how: describeExit(exit) });
    void this.inTurn(target, async () => {
      await delay(restartAfterCrashMs);
      if (!process.isRunning) {
        await this.bringUp(target, new AbortController().signal);
      }
    }).catch(() => undefined);
  }

  private async disrupt(
    { target, kind, pauseMs }: PlannedDisruption,
    signal: AbortSignal,
  ): Promise<void> {
    const process = this.processOf(target);
    const from = Date.now();
    let wasKilled = false;
    switch (kind) {
      case 'freeze':
        process.kill('SIGSTOP');
        await delay(pauseMs);
        process.kill('SIGCONT');
        break;
      case 'kill':
        process.kill('SIGKILL');
        await process.exited;
        await delay(pauseMs);
        await this.bringUp(target, signal);
        break;
      case 'restart':
        wasKilled = (await process.stop()).signal === 'SIGKILL';
        await delay(pauseMs);
        await this.bringUp(target, signal);
        break;
    }
    this.disruptions.push({ target, kind, from, to: Date.now(), wasKilled });
  }

  /** A process may not come up while one that it needs is down. */
  private async bringUp(target: Target, signal: AbortSignal): Promise<void> {
    const process = this.processOf(target);
    const deadline = Date.now() + startTimeoutMs;
    for (;;) {
      try {
        await process.start();
        this.notePid(target);
        return;
      } catch (error) {
        this.notePid(target);
        signal.throwIfAborted();
        if (Date.now() > deadline) {
          throw error;
        }
        await process.stop();
        await delay(startRetryMs);
      }
    }
  }

  private async inTurn(target: Target, act: () => Promise<void>): Promise<void> {
    const before = this.busy.get(target) ?? Promise.resolve();
    const turn = before.then(act);
    this.busy.set(
      target,
      turn.catch(() => undefined),
    );
    await turn;
  }

  private processOf(target: Target): ManagedProcess {
    if (target !== 'worker-1' && target !== 'worker-2') {
      return this.stack.process(target);
    }
    const worker = this.stack.workers[target === 'worker-1' ? 0 : 1];
    if (worker === undefined) {
      throw new Error(`There is no ${target}.`);
    }
    return worker;
  }

  private notePid(target: Target): void {
    this.forgetGone();
    this.pids.add(this.processOf(target).pid);
  }

  private forgetGone(): void {
    for (const pid of this.pids) {
      if (!isGroupAlive(pid)) {
        this.pids.delete(pid);
      }
    }
  }
}

/** Each process of the stack leads a group, which its own children are in. */
function isGroupAlive(pid: number): boolean {
  try {
    return process.kill(-pid, 0);
  } catch {
    return false;
  }
}
