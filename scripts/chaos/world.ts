/** The stack that all seeds of a run share, and what watches it. */
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import OpenAI from 'openai';
import { startStack, type Stack } from '../local/stack';
import { demoModel } from '../local/upstream-choice';
import type { UpstreamControl } from '../simulated-upstream';
import { parseJournal, type JournalEntry } from '../simulator/journal';
import { Disruptor } from './disruptor';
import { shortWindows } from './plan';
import { StoreWatch } from './store-watch';

const clientTimeoutMs = 8_000;
const controlTimeoutMs = 2_000;

/** Short, so that slices, sweeps and the ends of batches happen many times in a seed. */
const workerEnv = {
  LONGHAUL_SLICE_DURATION_MS: '3000',
  LONGHAUL_CANCEL_GRACE_MS: '1500',
  LONGHAUL_SHUTDOWN_GRACE_MS: '2000',
  LONGHAUL_OUTAGE_PATIENCE_MS: '8000',
  LONGHAUL_SWEEP_INTERVAL_MS: '2000',
  LONGHAUL_RECOVERY_INTERVAL_MS: '2000',
};
const requestTimeoutSeconds = 6;

export class ChaosWorld {
  /** Tells what this run makes from what an earlier one has left in the same folder. */
  readonly runId = randomBytes(4).toString('hex');
  readonly openai: OpenAI;
  readonly temporal: Client;
  readonly disruptor: Disruptor;
  readonly store: StoreWatch;
  /** Of all seeds so far. */
  readonly batchIds = new Set<string>();

  private constructor(
    readonly stack: Stack,
    private readonly connection: Connection,
    private readonly journalFile: string,
  ) {
    this.openai = new OpenAI({
      baseURL: stack.baseUrl,
      apiKey: stack.apiKey,
      timeout: clientTimeoutMs,
      maxRetries: 0,
    });
    this.temporal = new Client({ connection, namespace: stack.temporal.namespace });
    this.disruptor = new Disruptor(stack);
    this.store = new StoreWatch(stack, this.openai);
  }

  static async start(stateDir: string, signal: AbortSignal): Promise<ChaosWorld> {
    const journalFile = join(stateDir, 'upstream-journal.txt');
    const watch: { world?: ChaosWorld } = {};
    const stack = await startStack({
      stateDir,
      signal,
      workers: 2,
      upstream: { kind: 'simulated', requestTimeoutSeconds },
      apiEnv: { LONGHAUL_COMPLETION_WINDOWS: ['24h', ...shortWindows].join(',') },
      workerEnv,
      simulatorEnv: { LONGHAUL_SIMULATOR_JOURNAL: journalFile },
      onCrash: (process, exit) => watch.world?.disruptor.onCrash(process, exit),
    });
    try {
      const connection = await Connection.connect({ address: stack.temporal.address });
      watch.world = new ChaosWorld(stack, connection, journalFile);
      return watch.world;
    } catch (error) {
      await stack.stop();
      throw error;
    }
  }

  get model(): string {
    return demoModel;
  }

  journalSize(): number {
    return existsSync(this.journalFile) ? readSince(this.journalFile, 0).length : 0;
  }

  journalSince(offset: number): JournalEntry[] {
    return parseJournal(readSince(this.journalFile, offset).toString('latin1'));
  }

  /** Tells the upstream how to behave; `false` when it did not hear. */
  async control(change: Partial<UpstreamControl>): Promise<boolean> {
    try {
      const response = await fetch(`${this.stack.upstreamUrl}/_control`, {
        method: 'POST',
        body: JSON.stringify(change),
        signal: AbortSignal.timeout(controlTimeoutMs),
      });
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }

  /** Ends everything. Returns the processes that are alive nevertheless. */
  async stop(): Promise<number[]> {
    this.store.close();
    await this.connection.close();
    await this.stack.stop();
    return this.disruptor.alivePids();
  }
}

function readSince(path: string, offset: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(file).size - offset));
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, offset));
  } finally {
    closeSync(file);
  }
}
