import OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';
import { checkedResults } from '../support/result-checks';

const stack = useStack({ apiEnv: { LONGHAUL_COMPLETION_WINDOWS: '24h,4s' } });
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

const slowLines = chatLines(4_000, (index) => `[[slow:400]] ${index}`);

async function someAnswers(batchId: string): Promise<Batch> {
  return await pollBatch(client, batchId, {
    what: 'some answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
}

describe('a batch that is cancelled while it runs', () => {
  it('keeps the results that it had and says which requests never ran', async () => {
    const { id } = await createBatch(client, slowLines);
    const seen = await someAnswers(id);

    const cancelling = await client.batches.cancel(id);
    expect(cancelling).toMatchObject({
      status: 'cancelling',
      output_file_id: null,
      error_file_id: null,
    });
    expect(cancelling.cancelling_at).toEqual(expect.any(Number));

    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('cancelled');
    expect(batch.completed_at).toBeNull();
    const { output, errors } = await checkedResults(client, batch, slowLines);
    expect(output.length).toBeGreaterThanOrEqual(seen.request_counts?.completed ?? 0);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_cancelled']));
  });

  it('answers a second cancel, and refuses one after the end of another batch', async () => {
    const { id } = await createBatch(client, slowLines);
    await client.batches.cancel(id);
    const again = await client.batches.cancel(id);
    expect(['cancelling', 'cancelled']).toContain(again.status);
    const batch = await waitForEnd(client, id);
    expect((await client.batches.cancel(id)).status).toBe(batch.status);

    const finished = await waitForEnd(client, (await createBatch(client, chatLines(2))).id);
    await expect(client.batches.cancel(finished.id)).rejects.toThrow(OpenAI.ConflictError);
  });
});

describe('a batch whose completion window ends', () => {
  it('expires with the results that it had', async () => {
    const created = await createBatch(client, slowLines, { completionWindow: '4s' });
    expect((created.expires_at ?? 0) - created.created_at).toBe(4);
    const batch = await waitForEnd(client, created.id);
    expect(batch.status).toBe('expired');
    expect(batch.expired_at).toBeGreaterThanOrEqual(batch.expires_at ?? 0);
    const { output, errors } = await checkedResults(client, batch, slowLines);
    expect(output.length).toBeGreaterThan(0);
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(['batch_expired']));
  });
});
