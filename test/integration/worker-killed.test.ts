import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';
import { checkedResults } from '../support/result-checks';

const stack = useStack();
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

interface UpstreamStats {
  readonly requests: number;
  readonly repeats: number;
}

async function upstreamStats(): Promise<UpstreamStats> {
  return (await (await fetch(`${stack().upstreamUrl}/_stats`)).json()) as UpstreamStats;
}

describe('a worker that is killed in the middle of a batch', () => {
  it('leaves a batch that finishes by itself when a worker is there again', async () => {
    const lines = chatLines(1_500, (index) => `[[slow:200]] ${index}`);
    const { id } = await createBatch(client, lines);
    await pollBatch(client, id, {
      what: 'some answers',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 200,
    });

    const [worker] = stack().workers;
    worker?.kill('SIGKILL');
    expect(await worker?.exited).toEqual({ code: null, signal: 'SIGKILL' });
    const { repeats: repeatsBefore } = await upstreamStats();
    await worker?.start();

    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('completed');
    await checkedResults(client, batch, lines);
    // At most what was in flight, and what had been answered since the last flush, is asked again.
    const { requests, repeats } = await upstreamStats();
    expect(requests).toBeGreaterThanOrEqual(1_500);
    expect(repeats - repeatsBefore).toBeLessThanOrEqual(64 + 64 * 6);
  });

  it('that is stopped with SIGTERM hands its slice on, and no answered request is sent again', async () => {
    const lines = chatLines(1_000, (index) => `[[slow:200]] ${index}`);
    const { id } = await createBatch(client, lines);
    await pollBatch(client, id, {
      what: 'some answers',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 100,
    });
    const { repeats: repeatsBefore } = await upstreamStats();

    const [worker] = stack().workers;
    await worker?.restart();

    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('completed');
    await checkedResults(client, batch, lines);
    expect((await upstreamStats()).repeats).toBe(repeatsBefore);
  });
});
