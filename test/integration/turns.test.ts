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
import { useTemporalClient } from '../support/temporal-client';

const stack = useStack({
  apiEnv: { LONGHAUL_RUNNING_BATCHES_MAX: '1', LONGHAUL_COMPLETION_WINDOWS: '24h,6s' },
});
const temporal = useTemporalClient(stack);
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

/** Keeps its turn until it is cancelled. */
const endless = chatLines(4_000, (index) => `[[slow:2000]] ${index}`);
const short = chatLines(3);

async function waitingBatch(completionWindow = '24h'): Promise<string> {
  const { id } = await createBatch(client, short, { completionWindow });
  await pollBatch(client, id, {
    what: 'the batch to wait',
    timeoutMs: 30_000,
    is: ({ status, request_counts: counts }) => status === 'in_progress' && counts?.total === 3,
  });
  return id;
}

async function eventCount(workflowId: string): Promise<number> {
  const { historyLength } = await temporal().workflow.getHandle(workflowId).describe();
  return historyLength;
}

describe('with one batch at a time', () => {
  it('the second waits, ends at once when it is told to, and runs when the first has ended', async () => {
    const first = await createBatch(client, endless);
    await pollBatch(client, first.id, {
      what: 'some answers',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
    });

    const cancelled = await waitingBatch();
    const byHand = await waitingBatch();
    const expiring = await waitingBatch('6s');
    const last = await waitingBatch();

    const askedAt = Date.now();
    await client.batches.cancel(cancelled);
    await temporal().workflow.getHandle(byHand).cancel();
    for (const id of [cancelled, byHand]) {
      const batch = await waitForEnd(client, id);
      expect(batch.status).toBe('cancelled');
      const { errors } = await checkedResults(client, batch, short);
      expect(errors.map(({ error }) => error?.code)).toEqual(Array(3).fill('batch_cancelled'));
    }
    expect(Date.now() - askedAt).toBeLessThan(10_000);

    const expired = await waitForEnd(client, expiring);
    expect(expired.status).toBe('expired');
    const { errors } = await checkedResults(client, expired, short);
    expect(errors.map(({ error }) => error?.code)).toEqual(Array(3).fill('batch_expired'));

    expect((await client.batches.retrieve(first.id)).status).toBe('in_progress');
    const waiting = await client.batches.retrieve(last);
    expect([waiting.status, waiting.request_counts?.completed]).toEqual(['in_progress', 0]);
    const before = await eventCount(last);

    await client.batches.cancel(first.id);
    const completed = await waitForEnd(client, last);
    expect(completed.status).toBe('completed');
    const { output } = await checkedResults(client, completed, short);
    expect(output).toHaveLength(3);
    // Waiting for half a minute has written as many events as waiting for none.
    expect(before).toBeLessThan(30);
  });

  it('a cancel ends the wait also when its signal is lost', async () => {
    const first = await createBatch(client, endless);
    const second = await waitingBatch();
    stack().process('temporal').kill('SIGSTOP');
    try {
      expect((await client.batches.cancel(second)).status).toBe('cancelling');
    } finally {
      stack().process('temporal').kill('SIGCONT');
    }
    expect((await waitForEnd(client, second)).status).toBe('cancelled');
    await client.batches.cancel(first.id);
    await waitForEnd(client, first.id);
  });
});
