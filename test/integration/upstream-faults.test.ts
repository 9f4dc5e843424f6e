import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type ResultLine,
} from '../../scripts/local/batches';
import type { SimulatedUpstream } from '../../scripts/simulated-upstream';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

const started = useUpstreamStack({
  requestTimeoutSeconds: 2,
  workerEnv: { LONGHAUL_OUTAGE_PATIENCE_MS: '3000' },
});
let upstream: SimulatedUpstream;
let client: OpenAI;

beforeAll(() => {
  ({ upstream } = started());
  client = clientOf(started().stack);
});

beforeEach(() => {
  upstream.reset();
});

/** Runs good lines with one line among them that holds the marker; returns that line's result. */
async function resultOf(marker: string): Promise<ResultLine> {
  const lines = chatLines(40, (index) => (index === 17 ? marker : `What is ${index}?`));
  const batch = await waitForEnd(client, (await createBatch(client, lines)).id, 110_000);
  expect(batch.status).toBe('completed');
  const { output, errors } = await checkedResults(client, batch, lines);
  expect(output.length).toBeGreaterThanOrEqual(39);
  const result = [...output, ...errors].find((line) => line.custom_id === 'request-17');
  if (result === undefined) {
    throw new Error('request-17 has no line');
  }
  return result;
}

describe('one line among good ones', () => {
  it.each([
    ['[[fail:429x2]]', 'is rate-limited twice'],
    ['[[fail:503x2]]', 'finds the upstream unavailable twice'],
    ['[[fail:500x2]]', 'meets a server error twice'],
    ['[[reset:x1]]', 'is cut off before its answer'],
    ['[[close:x1]]', 'is cut off in the middle of its answer'],
    ['[[garbage:x2]]', 'gets garbage twice'],
    ['[[hang:x1]]', 'hangs once'],
    ['[[pretty]]', 'gets JSON over several lines'],
    ['[[size:2000000]]', 'gets a large answer'],
  ])('%s (%s) is answered in the end', async (marker) => {
    const result = await resultOf(marker);
    expect(result.response?.status_code).toBe(200);
    expect(result.error).toBeNull();
  });

  it.each([
    ['[[fail:400]]', 400],
    ['[[fail:422]]', 422],
    ['[[fail:500]]', 500],
  ])('%s ends in the error file with the answer', async (marker, status) => {
    const result = await resultOf(marker);
    expect(result.error).toBeNull();
    expect(result.response).toMatchObject({
      status_code: status,
      body: { error: { message: expect.any(String) } },
    });
  });

  it.each([
    ['[[hang]]', 'request_timeout'],
    ['[[trickle]]', 'request_timeout'],
    ['[[garbage]]', 'invalid_answer'],
    ['[[headers]]', 'invalid_answer'],
    ['[[endless]]', 'answer_too_large'],
    ['[[reset]]', 'upstream_unavailable'],
  ])(
    '%s ends in the error file with the code %s',
    async (marker, code) => {
      const result = await resultOf(marker);
      expect(result.response).toBeNull();
      expect(result.error).toEqual({ code, message: expect.any(String) });
    },
    120_000,
  );

  it('that is refused with 400 is sent once', async () => {
    await resultOf('[[fail:400]]');
    expect(upstream.stats().repeats).toBe(0);
  });
});

describe('an upstream that is down for a while', () => {
  it('holds a batch up and fails no line of it', async () => {
    const lines = chatLines(400, (index) => `[[slow:100]] ${index}`);
    const { id } = await createBatch(client, lines);
    await pollBatch(client, id, {
      what: 'some answers',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
    });
    upstream.control({ isDown: true });
    // What was in flight has opened the circuit breaker: these are its probes, seconds apart.
    await pollBatch(client, id, {
      what: 'attempts at the upstream that is down',
      timeoutMs: 60_000,
      is: () => upstream.stats().cuts >= 2,
    });
    upstream.control({ isDown: false });
    const batch = await waitForEnd(client, id, 90_000);
    expect(batch.status).toBe('completed');
    const { errors } = await checkedResults(client, batch, lines);
    expect(errors).toEqual([]);
  });

  it('that rate-limits everything for a while fails no line either', async () => {
    upstream.control({ isRateLimited: true });
    const lines = chatLines(100);
    const { id } = await createBatch(client, lines);
    await pollBatch(client, id, {
      what: 'refused requests',
      timeoutMs: 30_000,
      is: () => upstream.stats().requests > 0,
    });
    upstream.control({ isRateLimited: false });
    const batch = await waitForEnd(client, id, 60_000);
    expect(batch.status).toBe('completed');
    expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  });
});
