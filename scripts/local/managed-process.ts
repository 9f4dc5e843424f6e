/** A child process of the stack: started and waited for until it is ready, killed, restarted, stopped. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalError } from './local-error';
import { logSizeBytes, readLogSince } from './logs';
import { projectRoot } from './project-root';
import type { Reaper } from './reaper';

export interface ProcessSpec {
  /** As in messages: `MinIO`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Both streams are appended to it. */
  readonly logFile: string;
  /** @param logText what the process has logged since it was started, or its last part. */
  readonly isReady: (logText: string) => boolean | Promise<boolean>;
  readonly readyTimeoutMs: number;
  /** From SIGTERM to SIGKILL when it is stopped. */
  readonly graceMs: number;
  /** A process of ours that keeps no state, as against a server that does. */
  readonly isStateless?: boolean;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What runs the processes gives each of them. */
export interface ProcessHost {
  readonly reaper: Reaper;
  /** Aborted when the whole stack is given up. */
  readonly signal: AbortSignal;
  /** Called when a process that was ready has ended without being told to. */
  readonly onCrash: (process: ManagedProcess, exit: ProcessExit) => void;
}

const lastLines = 15;

export class ManagedProcess {
  readonly name: string;
  readonly logFile: string;
  private child: ChildProcess | undefined;
  private exit: Promise<ProcessExit> = Promise.resolve({ code: null, signal: null });
  private logStart = 0;
  private isReady = false;
  private isExitWanted = false;

  constructor(
    private readonly spec: ProcessSpec,
    private readonly host: ProcessHost,
  ) {
    this.name = spec.name;
    this.logFile = spec.logFile;
  }

  /** @throws when it has never run. */
  get pid(): number {
    if (this.child?.pid === undefined) {
      throw new Error(`${this.name} has not been started.`);
    }
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  get isStateless(): boolean {
    return this.spec.isStateless ?? false;
  }

  /** Resolves when the process that runs now, or ran last, has ended. */
  get exited(): Promise<ProcessExit> {
    return this.exit;
  }

  /**
   * Resolves when the process is ready for use.
   *
   * @throws {@link LocalError} with its last log lines when it ends before, or takes too long.
   */
  async start(): Promise<void> {
    this.host.signal.throwIfAborted();
    this.isReady = false;
    this.isExitWanted = false;
    this.spawn();
    const { readyTimeoutMs } = this.spec;
    const deadline = performance.now() + readyTimeoutMs;
    while (!(await this.spec.isReady(readLogSince(this.logFile, this.logStart)))) {
      this.host.signal.throwIfAborted();
      if (!this.isRunning) {
        throw this.failure(`${describeExit(await this.exit)} before it was ready`);
      }
      if (performance.now() > deadline) {
        throw this.failure(`was not ready within ${readyTimeoutMs / 1000} s`);
      }
      await Promise.race([delay(50), this.exit]);
    }
    this.isReady = true;
  }

  /** Sends a signal, and nothing more: `await exited` to know that it has ended. */
  kill(signal: NodeJS.Signals): void {
    this.isExitWanted = !['SIGSTOP', 'SIGCONT'].includes(signal);
    this.child?.kill(signal);
  }

  /** Stops the process if it runs, and starts it again with the same ports and settings. */
  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** SIGTERM, then SIGKILL when its time is up. Resolves when it has ended. */
  async stop(): Promise<ProcessExit> {
    if (this.isRunning) {
      this.kill('SIGTERM');
      // A process that was stopped with SIGSTOP does not see anything else before it goes on.
      this.child?.kill('SIGCONT');
      const timer = setTimeout(() => {
        this.kill('SIGKILL');
      }, this.spec.graceMs);
      await this.exit;
      clearTimeout(timer);
    }
    return await this.exit;
  }

  /** An error about this process, with its last log lines and where the others are. */
  failure(whatHappened: string): LocalError {
    const lines = readLogSince(this.logFile, this.logStart).trimEnd().split('\n').slice(-lastLines);
    const log = lines.map((line) => `  ${line}\n`).join('');
    return new LocalError(
      `${this.name} ${whatHappened}. Its last log lines, of ${this.logFile}:\n${log}`,
    );
  }

  private spawn(): void {
    this.logStart = logSizeBytes(this.logFile);
    const log = openSync(this.logFile, 'a', 0o600);
    const child = spawn(this.spec.command, this.spec.args, {
      cwd: projectRoot,
      env: this.spec.env,
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    this.child = child;
    this.exit = new Promise((resolve) => {
      child.once('error', () => {
        resolve({ code: 127, signal: null });
      });
      child.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    });
    if (child.pid === undefined) {
      throw new LocalError(`${this.name} cannot be started: ${this.spec.command} is no program.`);
    }
    this.watch(child.pid);
  }

  private watch(pid: number): void {
    this.host.reaper.watch(pid);
    void this.exit.then((exit) => {
      this.host.reaper.forget(pid);
      if (this.isReady && !this.isExitWanted) {
        this.host.onCrash(this, exit);
      }
    });
  }
}

export function describeExit({ code, signal }: ProcessExit): string {
  return signal === null ? `ended with exit code ${String(code)}` : `was killed by ${signal}`;
}
