import type { WorkflowHandle } from '@temporalio/client';
import OpenAI from 'openai';
import { waitForEnd } from '../../scripts/local/batches';
import { waitUntil } from '../../scripts/local/wait';
import { outputFileId, PhaseWorld, windows, type PhasedBatch } from '../support/end-phases';
import type { GatedBatch } from '../support/gated-stack';
import { checkedResults } from '../support/result-checks';

/** A batch in each phase, and twenty seconds until a killed worker's activities run again. */
jest.setTimeout(300_000);

let world: PhaseWorld;
beforeAll(async () => {
  world = await PhaseWorld.start(50);
}, 120_000);
afterAll(async () => {
  await world.on.stop();
}, 60_000);

/** A way in which batches are told to end, whatever phase they are in. */
interface Way {
  readonly name: string;
  readonly reason: 'cancelled' | 'expired';
  readonly window?: string;
  end(batches: readonly PhasedBatch[]): Promise<unknown>;
}

async function cancel({ client, id, phase }: PhasedBatch): Promise<void> {
  const cancelling = client.batches.cancel(id);
  if (phase.outcome === 'completed') {
    await expect(cancelling).rejects.toThrow(OpenAI.ConflictError);
  } else {
    expect(['cancelling', 'cancelled']).toContain((await cancelling).status);
  }
}

async function cancelAll(batches: readonly PhasedBatch[]): Promise<void> {
  await Promise.all(batches.map(cancel));
}

const ways: readonly Way[] = [
  {
    name: 'a cancel and a second and third one',
    reason: 'cancelled',
    end: async (batches) => {
      await Promise.all([cancelAll(batches), cancelAll(batches)]);
      await cancelAll(batches);
    },
  },
  {
    name: 'Cancel in the Web UI',
    reason: 'cancelled',
    end: async (batches) =>
      await Promise.all(
        batches.map(async ({ id }) => await world.on.temporal.workflow.getHandle(id).cancel()),
      ),
  },
  {
    name: 'the end of its completion window',
    reason: 'expired',
    window: windows.short,
    end: async () => {
      // It comes by itself.
    },
  },
  {
    name: 'a cancel just before its worker is killed',
    reason: 'cancelled',
    end: async (batches) => {
      await cancelAll(batches);
      const [worker] = world.on.stack.workers;
      worker?.kill('SIGKILL');
      await worker?.exited;
      await worker?.start();
    },
  },
  {
    name: 'a cancel while Temporal is down',
    reason: 'cancelled',
    end: async (batches) => {
      const temporal = world.on.stack.process('temporal');
      temporal.kill('SIGKILL');
      await temporal.exited;
      await cancelAll(batches);
      await temporal.start();
    },
  },
  {
    name: 'a cancel while MinIO is restarted',
    reason: 'cancelled',
    end: async (batches) => {
      const minio = world.on.stack.process('minio');
      minio.kill('SIGKILL');
      await minio.exited;
      await Promise.all([cancelAll(batches), minio.start()]);
    },
  },
];

const settled: { readonly batch: PhasedBatch; readonly requests: number }[] = [];

describe('in every phase of a batch', () => {
  it.each(ways)('$name ends it, and loses nothing', async (way) => {
    const { reason, window = '24h' } = way;
    const batches = await world.enterAll(window);
    await way.end(batches);
    for (const batch of batches) {
      batch.release();
    }
    const outcomes = await Promise.all(
      batches.map(async (batch) => [batch.phase.name, await outcomeOf(batch)]),
    );
    expect(outcomes).toEqual(
      batches.map((batch) => [batch.phase.name, expectedOutcome(batch, reason)]),
    );
    settled.push(...batches.map((batch) => ({ batch, requests: batch.gate.requests })));
  });

  it('no upstream is asked anything after the end', () => {
    expect(settled.map(({ batch }) => batch.gate.requests)).toEqual(
      settled.map(({ requests }) => requests),
    );
    expect(settled.length).toBeGreaterThanOrEqual(ways.length);
  });
});

describe('while the output file is put together', () => {
  it('its worker is killed, and the next one copies nothing again', async () => {
    const { on } = world;
    const gate = on.upstream.next();
    // More than one part's worth of answers.
    gate.paddingBytes = 2_200_000;
    gate.set('held');
    const batch = await on.createFor(gate, { lineCount: 35 });
    const path = `/files/${await outputFileId(on, batch.id)}/content`;
    const hold = on.storeProxy.hold(new RegExp(`^POST \\S+${path}\\S*uploadId=`));
    gate.set('answered');
    await on.reach(batch, async () => {
      const heartbeat = await on.heartbeatOf(batch.id, 'concludeBatch');
      return hold.heldCount > 0 && JSON.stringify(heartbeat ?? null).includes('"begun":{"output"');
    });
    const asked = (): string[] => on.storeProxy.requests.filter((line) => line.includes(path));
    const partOf = (line: string): string | undefined => /^PUT .*partNumber=(\d+)/.exec(line)?.[1];
    expect(asked().flatMap((line) => partOf(line) ?? [])).toHaveLength(2);

    const [worker] = on.stack.workers;
    worker?.kill('SIGKILL');
    await worker?.exited;
    hold.drop();
    on.storeProxy.requests.length = 0;
    await worker?.start();

    const ended = await waitForEnd(batch.client, batch.id);
    expect(ended.status).toBe('completed');
    expect(asked().flatMap((line) => partOf(line) ?? [])).toEqual([]);
    const { output } = await checkedResults(batch.client, ended, batch.lines);
    expect(output).toHaveLength(batch.lines.length);
  });
});

describe('while no worker runs', () => {
  it('a batch that is told to end does so when there is one, and asks nothing', async () => {
    const [worker] = world.on.stack.workers;
    await worker?.stop();
    const make = async (window = '24h'): Promise<GatedBatch> =>
      await world.on.createFor(world.on.upstream.next(), { lineCount: 5, window });
    const [cancelled, inWebUi] = await Promise.all([make(), make()]);
    const expired = await make(windows.shortest);
    await world.on.client.batches.cancel(cancelled.id);
    await world.on.temporal.workflow.getHandle(inWebUi.id).cancel();
    await world.on.reach(expired, ({ expires_at: at }) => Date.now() / 1000 > (at ?? Infinity));
    await worker?.start();

    for (const [batch, reason] of [
      [cancelled, 'cancelled'],
      [inWebUi, 'cancelled'],
      [expired, 'expired'],
    ] as const) {
      const ended = await waitForEnd(batch.client, batch.id);
      expect(ended.status).toBe(reason);
      // Where its validation was faster than the end that came with it, each line says why.
      const lines = ended.request_counts?.total === 0 ? [] : batch.lines;
      const { errors } = await checkedResults(batch.client, ended, lines);
      expect(errors.map(({ error }) => error?.code)).toEqual(lines.map(() => `batch_${reason}`));
      expect(batch.gate.requests).toBe(0);
    }
  });
});

describe('shard workflows that somebody ends by hand', () => {
  /** Two shards, with answers in both and requests in flight. */
  async function twoShards(): Promise<GatedBatch> {
    const gate = world.on.upstream.next();
    gate.set((index) => (index % 2_560 < 40 ? 'answered' : 'held'));
    const batch = await world.on.createFor(gate, { lineCount: 5_001, window: '24h' });
    await world.on.reach(
      batch,
      ({ request_counts: counts }) =>
        counts?.completed === gate.answeredCount && gate.heldCount > 0,
    );
    return batch;
  }

  const child = ({ id }: GatedBatch, index: number): WorkflowHandle =>
    world.on.temporal.workflow.getHandle(`${id}/shard-0000${index}`);

  async function runAgain(handle: WorkflowHandle, endedRunId: string): Promise<string> {
    let runId = endedRunId;
    await waitUntil(
      async () => {
        ({ runId } = await handle.describe());
        return runId !== endedRunId;
      },
      { what: `another run of ${handle.workflowId}`, timeoutMs: 60_000 },
    );
    return runId;
  }

  it('are run again, each time, and the batch loses no line', async () => {
    const batch = await twoShards();
    const [first, second] = [child(batch, 0), child(batch, 1)];
    const [firstRun, secondRun] = [await first.describe(), await second.describe()];
    await Promise.all([first.cancel(), second.terminate('by hand')]);
    const [again] = await Promise.all([
      runAgain(first, firstRun.runId),
      runAgain(second, secondRun.runId),
    ]);
    await first.terminate('by hand');
    await runAgain(first, again);
    batch.gate.set('answered');
    const ended = await waitForEnd(batch.client, batch.id);
    expect(ended.status).toBe('completed');
    const { output } = await checkedResults(batch.client, ended, batch.lines);
    expect(output).toHaveLength(batch.lines.length);
  });

  it('do not disturb a cancel that is under way', async () => {
    const batch = await twoShards();
    await Promise.all([
      batch.client.batches.cancel(batch.id),
      child(batch, 0).terminate('by hand'),
      child(batch, 1).cancel(),
    ]);
    const ended = await waitForEnd(batch.client, batch.id);
    expect(ended.status).toBe('cancelled');
    const { output } = await checkedResults(batch.client, ended, batch.lines);
    expect(output.length).toBeGreaterThanOrEqual(batch.gate.answeredCount);
  });
});

/** How a batch has ended, having checked its files. */
async function outcomeOf(batch: PhasedBatch): Promise<object> {
  const ended = await waitForEnd(batch.client, batch.id);
  const { status } = ended;
  if (ended.request_counts?.total === 0) {
    const { output_file_id: output, error_file_id: errors } = ended;
    return { status, files: [output, errors], requests: batch.gate.requests };
  }
  const { output, errors } = await checkedResults(batch.client, ended, batch.lines);
  expect(output.length).toBeGreaterThanOrEqual(batch.seen.request_counts?.completed ?? 0);
  const codes = new Set(errors.map(({ error }) => error?.code));
  return { status, codes: [...codes], hasLostAnswers: output.length < batch.gate.answeredCount };
}

function expectedOutcome({ phase, seen }: PhasedBatch, reason: 'cancelled' | 'expired'): object {
  if (phase.outcome === 'ended in validation') {
    return { status: reason, files: [null, null], requests: 0 };
  }
  const isTooLate = phase.outcome === 'completed' && seen.status === 'finalizing';
  return isTooLate
    ? { status: 'completed', codes: [], hasLostAnswers: false }
    : { status: reason, codes: [`batch_${reason}`], hasLostAnswers: false };
}
