/**
 * The phases of a batch as data: how a batch is brought into each and kept there, and what becomes of
 * it when it is told to end. One stack serves all of them, several batches at a time.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, WorkflowNotFoundError } from '@temporalio/client';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { clientOf, isTerminal, type Batch } from '../../scripts/local/batches';
import { freePort } from '../../scripts/local/ports';
import { startStack, type Stack } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { admin } from '../contract/support/admin';
import { GatedProxy } from './gated-proxy';
import { GatedUpstream, type Gate } from './gated-upstream';

/** A batch in a phase. */
export interface PhasedBatch {
  readonly phase: Phase;
  readonly id: string;
  /** Of the project that the batch belongs to. */
  readonly client: OpenAI;
  readonly gate: Gate;
  readonly lines: readonly string[];
  /** Lets go of what keeps the batch from ending, where something does. */
  release(): void;
  /** The batch as it was when it had come into its phase. */
  readonly seen: Batch;
}

interface Phase {
  readonly name: string;
  /** `completed`: too late to be told to end; `validation`: too early to have any line. */
  readonly outcome: 'ended' | 'ended in validation' | 'completed';
  /** @returns as soon as the batch is there, or has ended before. */
  enter(world: PhaseWorld, window: string): Promise<PhasedBatch>;
}

const enterTimeoutMs = 60_000;
/** Time enough to come into every phase; and none to come anywhere. */
export const windows = { short: '12s', shortest: '1s' } as const;
/** Requests that the gates' upstreams are sent at a time. */
const inFlightMax = 16;

const midSlice: Phase = {
  name: 'in the middle of a slice',
  outcome: 'ended',
  enter: async (world, window) => {
    const gate = world.upstream.next();
    gate.set((index) => (index < 40 ? 'answered' : 'held'));
    const batch = await world.create(gate, { lineCount: 200, window, client: world.turnsClient });
    const seen = await world.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 40 && gate.heldCount === inFlightMax,
    );
    return { ...batch, phase: midSlice, seen, release: nothing };
  },
};

const waitingForTurn: Phase = {
  name: 'waiting for its turn',
  outcome: 'ended',
  enter: async (world, window) => {
    const gate = world.upstream.next();
    gate.set('held');
    const batch = await world.create(gate, { lineCount: 5, window, client: world.turnsClient });
    const seen = await world.reach(
      batch,
      async ({ status }) =>
        status === 'in_progress' && (await world.hasPending(batch.id, 'takeTurn')),
    );
    return { ...batch, phase: waitingForTurn, seen, release: nothing };
  },
};

const betweenShards: Phase = {
  name: 'with one of two shards sealed',
  outcome: 'ended',
  enter: async (world, window) => {
    const gate = world.upstream.next();
    // Of 5,001 lines the first 2,560 are a shard.
    gate.set((index) => (index < 2_600 ? 'answered' : 'held'));
    const batch = await world.create(gate, { lineCount: 5_001, window });
    // What is held of the second shard would leave the first one no place in flight.
    const second = world.storeProxy.hold(new RegExp(`^PUT \\S+/${batch.id}/shards/00001/epochs/`));
    await world.reach(batch, async () => await world.hasCompleted(`${batch.id}/shard-00000`));
    second.release();
    const seen = await world.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 2_600 && gate.heldCount > 0,
    );
    return { ...batch, phase: betweenShards, seen, release: nothing };
  },
};

const upstreamDown: Phase = {
  name: 'while its upstream is down',
  outcome: 'ended',
  enter: async (world, window) => {
    const gate = world.upstream.next();
    gate.set((index) => (index < 20 ? 'answered' : 'cut'));
    const batch = await world.create(gate, { lineCount: 100, window });
    const seen = await world.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 20 && gate.requests > 20 + inFlightMax,
    );
    return { ...batch, phase: upstreamDown, seen, release: nothing };
  },
};

const finalizing: Phase = {
  name: 'while its files are written',
  outcome: 'completed',
  enter: async (world, window) => {
    const gate = world.upstream.next();
    gate.set('held');
    const batch = await world.create(gate, { lineCount: 10, window });
    const outputFileId = await world.outputFileId(batch.id);
    const hold = world.storeProxy.hold(new RegExp(`^PUT \\S+/files/${outputFileId}/content`));
    gate.set('answered');
    const seen = await world.reach(
      batch,
      ({ status }) => status === 'finalizing' && hold.heldCount > 0,
    );
    const release = (): void => {
      hold.release();
    };
    return { ...batch, phase: finalizing, seen, release };
  },
};

const inValidation: Phase = {
  name: 'during validation',
  outcome: 'ended in validation',
  enter: async (world, window) => {
    const readsBefore = world.large.reads.count;
    const batch = await world.createLarge(window);
    const seen = await world.reach(batch, () => world.large.reads.count > readsBefore);
    return { ...batch, phase: inValidation, seen, release: nothing };
  },
};

const beforeValidation: Phase = {
  name: 'before its validation',
  outcome: 'ended in validation',
  enter: async (world, window) => {
    const batch = await world.createLarge(window);
    const seen = await world.reach(
      batch,
      async () => await world.hasPending(batch.id, 'validateAndPlan'),
    );
    return { ...batch, phase: beforeValidation, seen, release: nothing };
  },
};

function nothing(): void {
  // The batch ends by itself.
}

/** A worker validates two files at a time, so the third waits; all others have passed theirs. */
const phases = [
  [midSlice, betweenShards, upstreamDown, finalizing],
  [waitingForTurn],
  [inValidation],
  [inValidation],
  [beforeValidation],
] as const;

export type NewBatch = Pick<PhasedBatch, 'id' | 'client' | 'gate' | 'lines'>;

interface Parts {
  readonly stack: Stack;
  readonly upstream: GatedUpstream;
  /** Between the workers and the store; the API goes past it. */
  readonly storeProxy: GatedProxy;
  readonly temporal: Client;
  readonly client: OpenAI;
  /** Of a project that runs one batch at a time. */
  readonly turnsClient: OpenAI;
  readonly large: LargeFile;
  readonly folder: string;
}

export class PhaseWorld {
  private constructor(private readonly parts: Parts) {}

  static async start(gateCount: number): Promise<PhaseWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    const upstream = await GatedUpstream.start(gateCount);
    const upstreamsFile = join(folder, 'upstreams.yaml');
    writeFileSync(upstreamsFile, upstream.upstreamsYaml());
    const minio = await freePort();
    const storeProxy = await GatedProxy.start(`http://127.0.0.1:${minio}`);
    const stack = await startStack({
      stateDir: join(folder, 'stack'),
      ports: { minio },
      upstream: { kind: 'file', path: upstreamsFile },
      apiEnv: { LONGHAUL_COMPLETION_WINDOWS: ['24h', windows.short, windows.shortest].join(',') },
      workerEnv: {
        LONGHAUL_S3_ENDPOINT: `http://${storeProxy.address}`,
        LONGHAUL_CANCEL_GRACE_MS: '1500',
      },
    });
    const connection = await Connection.connect({ address: stack.temporal.address });
    const temporal = new Client({ connection, namespace: stack.temporal.namespace });
    const client = clientOf(stack);
    const turnsClient = await turnsClientOf(stack);
    const large = await uploadLarge(client, upstream.next(), storeProxy);
    return new PhaseWorld({
      ...{ stack, upstream, storeProxy, temporal, client, turnsClient, large, folder },
    });
  }

  get stack(): Stack {
    return this.parts.stack;
  }

  get upstream(): GatedUpstream {
    return this.parts.upstream;
  }

  get storeProxy(): GatedProxy {
    return this.parts.storeProxy;
  }

  get temporal(): Client {
    return this.parts.temporal;
  }

  get client(): OpenAI {
    return this.parts.client;
  }

  get turnsClient(): OpenAI {
    return this.parts.turnsClient;
  }

  get large(): LargeFile {
    return this.parts.large;
  }

  async stop(): Promise<void> {
    await this.temporal.connection.close();
    await this.stack.stop();
    await this.storeProxy.close();
    await this.upstream.close();
    rmSync(this.parts.folder, { recursive: true, force: true });
  }

  /** Brings a batch into every phase. */
  async enterAll(window: string): Promise<PhasedBatch[]> {
    const batches: PhasedBatch[] = [];
    for (const together of phases) {
      batches.push(
        ...(await Promise.all(together.map(async (phase) => await phase.enter(this, window)))),
      );
    }
    return batches;
  }

  async create(
    gate: Gate,
    options: { readonly lineCount: number; readonly window: string; readonly client?: OpenAI },
  ): Promise<NewBatch> {
    const { client = this.client, lineCount, window } = options;
    const lines = gate.lines(lineCount);
    const fileId = await upload(client, lines);
    return { id: await create(client, fileId, window), client, gate, lines };
  }

  async createLarge(window: string): Promise<NewBatch> {
    const { large, client } = this.parts;
    const id = await create(client, large.fileId, window);
    return { id, client, gate: large.gate, lines: [] };
  }

  /** Resolves when the batch is there, or has ended before. */
  async reach(
    { id, client }: NewBatch,
    isThere: (batch: Batch) => boolean | Promise<boolean>,
  ): Promise<Batch> {
    let batch = await client.batches.retrieve(id);
    await waitUntil(
      async () => {
        batch = await client.batches.retrieve(id);
        return isTerminal(batch) || (await isThere(batch));
      },
      { what: `the phase of ${id}`, timeoutMs: enterTimeoutMs },
    );
    return batch;
  }

  async outputFileId(batchId: string): Promise<string> {
    const { memo } = await this.temporal.workflow.getHandle(batchId).describe();
    return String(memo?.['outputFileId']);
  }

  /** Not, when there is no such workflow yet. */
  async hasCompleted(workflowId: string): Promise<boolean> {
    try {
      const { status } = await this.temporal.workflow.getHandle(workflowId).describe();
      return status.name === 'COMPLETED';
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) {
        return false;
      }
      throw error;
    }
  }

  async hasPending(batchId: string, activity: string): Promise<boolean> {
    const { raw } = await this.temporal.workflow.getHandle(batchId).describe();
    return (raw.pendingActivities ?? []).some(
      ({ activityType }) => activityType?.name === activity,
    );
  }
}

async function turnsClientOf(stack: Stack): Promise<OpenAI> {
  await admin(stack, ['projects', 'set', 'turns', '--running-batches', '1']);
  const apiKey = (await admin(stack, ['keys', 'create', '--project', 'turns'])).trim();
  return clientOf({ baseUrl: stack.baseUrl, apiKey });
}

/** Ten megabytes that reach a worker so slowly that every batch ends before. */
interface LargeFile {
  readonly fileId: string;
  readonly gate: Gate;
  readonly reads: { readonly count: number };
}

async function uploadLarge(client: OpenAI, gate: Gate, proxy: GatedProxy): Promise<LargeFile> {
  const fileId = await upload(client, gate.lines(10_000, 'x'.repeat(1_000)));
  return { fileId, gate, reads: proxy.trickle(new RegExp(`^GET \\S+/files/${fileId}/content`)) };
}

async function upload(client: OpenAI, lines: readonly string[]): Promise<string> {
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const file = await toFile(content, 'requests.jsonl');
  return (await client.files.create({ file, purpose: 'batch' })).id;
}

async function create(client: OpenAI, fileId: string, window: string): Promise<string> {
  const batch = await client.batches.create({
    input_file_id: fileId,
    endpoint: '/v1/chat/completions',
    // The client's type knows one window.
    completion_window: window as '24h',
  });
  return batch.id;
}
