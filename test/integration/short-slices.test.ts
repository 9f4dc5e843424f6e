import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

const started = useUpstreamStack({
  requestTimeoutSeconds: 1,
  workerEnv: { LONGHAUL_SLICE_DURATION_MS: '700', LONGHAUL_OUTAGE_PATIENCE_MS: '3000' },
});

describe('slices that are shorter than a batch', () => {
  it('hand the shard on without repeating a request', async () => {
    const client = clientOf(started().stack);
    const lines = chatLines(300, (index) => `[[slow:150]] ${index}`);
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch.status).toBe('completed');
    expect((await checkedResults(client, batch, lines)).output).toHaveLength(300);
    expect(started().upstream.stats().repeats).toBe(0);
  });

  it('do not forget how often a request has failed', async () => {
    const client = clientOf(started().stack);
    const lines = chatLines(40, (index) => (index === 17 ? '[[hang]]' : `question ${index}`));
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch.status).toBe('completed');
    const { output, errors } = await checkedResults(client, batch, lines);
    expect(output).toHaveLength(39);
    expect(errors.map(({ custom_id, error }) => [custom_id, error?.code])).toEqual([
      ['request-17', 'request_timeout'],
    ]);
  });
});
