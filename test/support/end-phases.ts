/**
 * The phases of a batch as data: how a batch is brought into each and kept there, and what becomes of
 * it when it is told to end. One stack serves all of them, several batches at a time.
 */
import type OpenAI from 'openai';
import { clientOf, type Batch } from '../../scripts/local/batches';
import { admin } from './admin-program';
import { GatedStack, type GatedBatch } from './gated-stack';
import type { Gate } from './gated-upstream';

/** A batch in a phase. */
export interface PhasedBatch extends GatedBatch {
  readonly phase: Phase;
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

/** Time enough to come into every phase; and none to come anywhere. */
export const windows = { short: '12s', shortest: '1s' } as const;
/** Requests that the gates' upstreams are sent at a time. */
const inFlightMax = 16;

const midSlice: Phase = {
  name: 'in the middle of a slice',
  outcome: 'ended',
  enter: async ({ on, turnsClient }, window) => {
    const gate = on.upstream.next();
    gate.set((index) => (index < 40 ? 'answered' : 'held'));
    const batch = await on.createFor(gate, { lineCount: 200, window, client: turnsClient });
    const seen = await on.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 40 && gate.heldCount === inFlightMax,
    );
    return { ...batch, phase: midSlice, seen, release: nothing };
  },
};

const waitingForTurn: Phase = {
  name: 'waiting for its turn',
  outcome: 'ended',
  enter: async ({ on, turnsClient }, window) => {
    const gate = on.upstream.next();
    gate.set('held');
    const batch = await on.createFor(gate, { lineCount: 5, window, client: turnsClient });
    const seen = await on.reach(
      batch,
      async ({ status }) => status === 'in_progress' && (await on.hasPending(batch.id, 'takeTurn')),
    );
    return { ...batch, phase: waitingForTurn, seen, release: nothing };
  },
};

const betweenShards: Phase = {
  name: 'with one of two shards sealed',
  outcome: 'ended',
  enter: async ({ on }, window) => {
    const gate = on.upstream.next();
    // Of 5,001 lines the first 2,560 are a shard.
    gate.set((index) => (index < 2_600 ? 'answered' : 'held'));
    const batch = await on.createFor(gate, { lineCount: 5_001, window });
    // What is held of the second shard would leave the first one no place in flight.
    const second = on.storeProxy.hold(new RegExp(`^PUT \\S+/${batch.id}/shards/00001/epochs/`));
    await on.reach(batch, async () => await on.hasCompleted(`${batch.id}/shard-00000`));
    second.release();
    const seen = await on.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 2_600 && gate.heldCount > 0,
    );
    return { ...batch, phase: betweenShards, seen, release: nothing };
  },
};

const upstreamDown: Phase = {
  name: 'while its upstream is down',
  outcome: 'ended',
  enter: async ({ on }, window) => {
    const gate = on.upstream.next();
    gate.set((index) => (index < 20 ? 'answered' : 'cut'));
    const batch = await on.createFor(gate, { lineCount: 100, window });
    const seen = await on.reach(
      batch,
      ({ request_counts: counts }) => counts?.completed === 20 && gate.requests > 20 + inFlightMax,
    );
    return { ...batch, phase: upstreamDown, seen, release: nothing };
  },
};

const finalizing: Phase = {
  name: 'while its files are written',
  outcome: 'completed',
  enter: async ({ on }, window) => {
    const gate = on.upstream.next();
    gate.set((index) => (index < 1 ? 'answered' : 'held'));
    const batch = await on.createFor(gate, { lineCount: 10, window });
    // Answers that all come before anything is committed are put together by the slice.
    await on.reach(batch, ({ request_counts: counts }) => counts?.completed === 1);
    const fileId = await outputFileId(on, batch.id);
    const hold = on.storeProxy.hold(new RegExp(`^PUT \\S+/files/${fileId}/content`));
    gate.set('answered');
    const seen = await on.reach(
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
    const seen = await world.on.reach(batch, () => world.large.reads.count > readsBefore);
    return { ...batch, phase: inValidation, seen, release: nothing };
  },
};

const beforeValidation: Phase = {
  name: 'before its validation',
  outcome: 'ended in validation',
  enter: async (world, window) => {
    const batch = await world.createLarge(window);
    const seen = await world.on.reach(
      batch,
      async () => await world.on.hasPending(batch.id, 'prepareBatch'),
    );
    return { ...batch, phase: beforeValidation, seen, release: nothing };
  },
};

export async function outputFileId({ temporal }: GatedStack, batchId: string): Promise<string> {
  const { memo } = await temporal.workflow.getHandle(batchId).describe();
  return String(memo?.['outputFileId']);
}

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

export class PhaseWorld {
  private constructor(
    readonly on: GatedStack,
    /** Of a project that runs one batch at a time. */
    readonly turnsClient: OpenAI,
    readonly large: LargeFile,
  ) {}

  static async start(gateCount: number): Promise<PhaseWorld> {
    const on = await GatedStack.start({
      gateCount,
      isProxied: true,
      apiEnv: { LONGHAUL_COMPLETION_WINDOWS: ['24h', ...Object.values(windows)].join(',') },
      workerEnv: { LONGHAUL_CANCEL_GRACE_MS: '1500' },
    });
    const { stack } = on;
    await admin(stack, ['projects', 'set', 'turns', '--running-batches', '1']);
    const apiKey = await admin(stack, ['keys', 'create', '--project', 'turns']);
    const turnsClient = clientOf({ baseUrl: stack.baseUrl, apiKey });
    return new PhaseWorld(on, turnsClient, await uploadLarge(on));
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

  async createLarge(window: string): Promise<GatedBatch> {
    const { on, large } = this;
    const id = await on.create(large.fileId, window);
    return { id, client: on.client, gate: large.gate, lines: [] };
  }
}

/** Ten megabytes that reach a worker so slowly that every batch ends before. */
interface LargeFile {
  readonly fileId: string;
  readonly gate: Gate;
  readonly reads: { readonly count: number };
}

async function uploadLarge(on: GatedStack): Promise<LargeFile> {
  const gate = on.upstream.next();
  const fileId = await on.upload(gate.lines(10_000, 'x'.repeat(1_000)));
  const reads = on.storeProxy.trickle(new RegExp(`^GET \\S+/files/${fileId}/content`));
  return { fileId, gate, reads };
}
