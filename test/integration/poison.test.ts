/** Requests that never work cost themselves; an outage costs none, however few are left. */
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type ResultLine,
} from '../../scripts/local/batches';
import { waitUntil } from '../../scripts/local/wait';
import type { SimulatedUpstream } from '../../scripts/simulated-upstream';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

const started = useUpstreamStack({
  requestTimeoutSeconds: 2,
  workerEnv: { LONGHAUL_OUTAGE_PATIENCE_MS: '2000' },
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

/** How a request with this marker ends. */
const endings: readonly (readonly [marker: string, ending: string | number])[] = [
  ['[[reset]]', 'upstream_unavailable'],
  ['[[close]]', 'upstream_unavailable'],
  ['[[garbage]]', 'invalid_answer'],
  ['[[hang]]', 'request_timeout'],
  ['[[trickle]]', 'request_timeout'],
  ['[[fail:500]]', 500],
  ['[[fail:503]]', 503],
];
const poisonCount = 21;
const poison = Array.from({ length: poisonCount }, (_, index) => endings[index % endings.length]);

function endingOf({ response, error }: ResultLine): string | number | undefined {
  return error?.code ?? response?.status_code;
}

async function endingsOf(batchId: string, lines: readonly string[]): Promise<unknown[]> {
  const batch = await waitForEnd(client, batchId);
  expect(batch.status).toBe('completed');
  const { output, errors } = await checkedResults(client, batch, lines);
  const byId = new Map([...output, ...errors].map((line) => [line.custom_id, endingOf(line)]));
  return lines.map((_, index) => byId.get(`request-${index}`));
}

/** Takes the upstream down for longer than the patience: until checks and trials were refused. */
async function haveOutage(): Promise<void> {
  upstream.control({ isDown: true });
  await waitUntil(() => Promise.resolve(upstream.stats().cuts >= 6), {
    what: 'attempts at the upstream that is down',
    timeoutMs: 90_000,
  });
  upstream.control({ isDown: false });
}

it('requests that never work end with their reason, and an outage meanwhile costs no others', async () => {
  // Their turn comes after the outage, which would lengthen the waits between their attempts.
  const contentOf = (index: number): readonly [string, number | string] =>
    poison[index - 70] ?? ['[[slow:300]]', 200];
  const lines = chatLines(100, (index) => `${contentOf(index)[0]} ${index}`);
  const { id } = await createBatch(client, lines);
  await pollBatch(client, id, {
    what: 'some answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
  await haveOutage();
  expect(await endingsOf(id, lines)).toEqual(lines.map((_, index) => contentOf(index)[1]));
  expect(Math.max(...Object.values(upstream.stats().requestsById))).toBeLessThanOrEqual(20);
}, 180_000);

it('an outage costs the last request of a batch nothing', async () => {
  const lines = chatLines(1, () => '[[slow:1000]]');
  const { id } = await createBatch(client, lines);
  await waitUntil(() => Promise.resolve(upstream.stats().inFlight === 1), {
    what: 'the request in flight',
    timeoutMs: 30_000,
  });
  await haveOutage();
  expect(await endingsOf(id, lines)).toEqual([200]);
}, 180_000);
