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

/** Good lines before each line with a marker, and behind the last of them. */
const goodLineCount = 20;

/** Runs a batch with a line for each marker among good ones; returns those lines' results. */
async function resultsOf(markers: readonly string[]): Promise<Map<string, ResultLine>> {
  const at = (number: number): number => goodLineCount + number * (goodLineCount + 1);
  const lines = chatLines(
    at(markers.length),
    (index) => markers.find((_, number) => at(number) === index) ?? `What is ${index}?`,
  );
  const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
  expect(batch.status).toBe('completed');
  const { output, errors } = await checkedResults(client, batch, lines);
  expect(output.length).toBeGreaterThanOrEqual(lines.length - markers.length);
  const results = new Map([...output, ...errors].map((line) => [line.custom_id, line]));
  return new Map(
    markers.flatMap((marker, number) => {
      const result = results.get(`request-${at(number)}`);
      return result === undefined ? [] : [[marker, result]];
    }),
  );
}

describe('a line among good ones', () => {
  const passing = [
    ['[[fail:429x2]]', 'is rate-limited twice'],
    ['[[fail:503x2]]', 'finds the upstream unavailable twice'],
    ['[[fail:500x2]]', 'meets a server error twice'],
    ['[[reset:x1]]', 'is cut off before its answer'],
    ['[[close:x1]]', 'is cut off in the middle of its answer'],
    ['[[garbage:x2]]', 'gets garbage twice'],
    ['[[hang:x1]]', 'hangs once'],
    ['[[pretty]]', 'gets JSON over several lines'],
    ['[[size:2000000]]', 'gets a large answer'],
  ] as const;
  const refused = [
    ['[[fail:400]]', 400],
    ['[[fail:422]]', 422],
    ['[[fail:500]]', 500],
  ] as const;
  const lost = [
    ['[[hang]]', 'request_timeout'],
    ['[[trickle]]', 'request_timeout'],
    ['[[garbage]]', 'invalid_answer'],
    ['[[headers]]', 'invalid_answer'],
    ['[[reset]]', 'upstream_unavailable'],
    ['[[endless]]', 'answer_too_large'],
  ] as const;
  let results: ReadonlyMap<string, ResultLine>;

  beforeAll(async () => {
    const batches = [passing, refused, lost].map(
      async (cases) => await resultsOf(cases.map(([marker]) => marker)),
    );
    results = new Map((await Promise.all(batches)).flatMap((found) => [...found]));
  }, 120_000);

  it.each(passing)('%s (%s) is answered in the end', (marker) => {
    expect(results.get(marker)).toMatchObject({ response: { status_code: 200 }, error: null });
  });

  it.each(refused)('%s ends in the error file with the answer', (marker, status) => {
    expect(results.get(marker)).toMatchObject({
      error: null,
      response: { status_code: status, body: { error: { message: expect.any(String) } } },
    });
  });

  it.each(lost)('%s ends in the error file with the code %s', (marker, code) => {
    expect(results.get(marker)).toMatchObject({
      response: null,
      error: { code, message: expect.any(String) },
    });
  });

  it('that is refused with 400 is sent once', async () => {
    upstream.reset();
    await resultsOf(['[[fail:400]]']);
    expect(upstream.stats().repeats).toBe(0);
  });
});

describe('an upstream that is down for a while', () => {
  beforeEach(() => {
    upstream.reset();
  });

  it('holds a batch up and fails no line of it', async () => {
    const lines = chatLines(1_500, (index) => `[[slow:500]] ${index}`);
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
    const batch = await waitForEnd(client, id);
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
    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('completed');
    expect((await checkedResults(client, batch, lines)).errors).toEqual([]);
  });
});
