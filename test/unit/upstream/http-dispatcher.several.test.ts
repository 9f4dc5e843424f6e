/** One model at several upstreams. */
import fc from 'fast-check';
import {
  endingsOf,
  hour,
  minute,
  runSlices,
  second,
  type SimulatedUpstream,
} from './simulated-run';
import type { Behaviour, Outage, SimulatedServer } from './simulated-server';
import { range } from './support';

const requestTimeoutMs = 2 * minute;

function anUpstream(overrides: Partial<SimulatedUpstream> = {}): SimulatedUpstream {
  return {
    behaviourOf: () => 'answer',
    latencyOf: () => second,
    requestTimeoutMs,
    maxInFlight: 8,
    ...overrides,
  };
}

function receivedBy({ received }: SimulatedServer): number {
  return [...received.values()].reduce((sum, count) => sum + count, 0);
}

/** How many requests each of the upstreams got, when all lines were answered with 200. */
async function sharesOf(
  upstreams: readonly [SimulatedUpstream, ...SimulatedUpstream[]],
  lineCount: number,
  limitMs = 12 * hour,
): Promise<number[]> {
  const result = await runSlices({ upstreams, lineCount, seed: 1 }, limitMs);
  expect(endingsOf(result, lineCount)).toEqual(range(0, lineCount).map(() => 200));
  return result.servers.map(receivedBy);
}

describe('lines of a model', () => {
  it('are shared by weight while all upstreams have room', async () => {
    const upstreams = [
      anUpstream({ maxInFlight: 64 }),
      anUpstream({ maxInFlight: 64, weight: 3 }),
    ] as const;
    expect(await sharesOf([...upstreams], 16)).toEqual([4, 12]);
  });

  it('go to whichever has room, whatever its weight, when there are more', async () => {
    const lineCount = 800;
    const upstreams = [anUpstream(), anUpstream({ weight: 100 })] as const;
    const [one = 0, other = 0] = await sharesOf([...upstreams], lineCount);
    expect(one).toBeGreaterThan(lineCount * 0.45);
    expect(one + other).toBe(lineCount);
  });

  it('go to the one that is faster when there are more', async () => {
    const upstreams = [anUpstream(), anUpstream({ latencyOf: () => 3 * second })] as const;
    const [fast = 0, slow = 0] = await sharesOf([...upstreams], 800);
    expect(fast / slow).toBeGreaterThan(2.5);
    expect(fast / slow).toBeLessThan(3.5);
  });
});

describe('an upstream beside one that is well', () => {
  const troubles: readonly (readonly [string, Partial<SimulatedUpstream>])[] = [
    ['refuses its key', { behaviourOf: () => 401 }],
    ['fails whatever it gets', { behaviourOf: () => 500 }],
    ['refuses whatever it gets', { behaviourOf: () => 503 }],
    ['accepts and closes, and passes its checks', { behaviourOf: () => 'reset' }],
    ['answers garbage', { behaviourOf: () => 'garbage' }],
    ['is over its rate limit', { behaviourOf: () => 429 }],
    ['hangs', { behaviourOf: () => 'hang', requestTimeoutMs: 10 * second }],
    ['is never there', { outages: [{ kind: 'refuse', from: 0, to: 24 * hour }] }],
  ];

  it.each(troubles)('costs no line when it %s', async (_what, trouble) => {
    const sick = anUpstream({ latencyOf: () => 1, ...trouble });
    const lineCount = 500;
    const limitMs = 30 * minute;
    const [, served = 0] = await sharesOf([sick, anUpstream()], lineCount, limitMs);
    expect(served).toBe(lineCount);
    expect((await sharesOf([anUpstream(), sick], lineCount, limitMs))[0]).toBe(lineCount);
  });

  it('has lines that failed tried again at the same one, when it is down', async () => {
    const failed = new Set<number>();
    const failsOnce = anUpstream({
      behaviourOf: (ordinal) => (failed.has(ordinal) ? 'answer' : (failed.add(ordinal), 500)),
    });
    const isGone = anUpstream({ outages: [{ kind: 'refuse', from: 0, to: 24 * hour }] });
    // Within one slice: the next one would know nothing of where they failed.
    expect(await sharesOf([failsOnce, isGone], 40, minute)).toEqual([80, 0]);
  });

  it('gets lines again when it has come back', async () => {
    const outages: Outage[] = [{ kind: 'refuse', from: 10 * second, to: 40 * second }];
    const lineCount = 2_000;
    const [died = 0, stayed = 0] = await sharesOf(
      [anUpstream({ outages }), anUpstream()],
      lineCount,
    );
    // Without the outage it would have had half of them, which takes about two minutes.
    expect(died).toBeGreaterThan(lineCount * 0.3);
    expect(stayed).toBeGreaterThan(lineCount * 0.5);
  });
});

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const inFlightMaxima = fc.constantFrom(1, 2, 8, 64);

const outageSchedules = fc
  .array(
    fc.record({
      kind: fc.constantFrom('refuse' as const, 'accept and close' as const, 503 as const),
      afterMs: fc.integer({ min: 0, max: 2 * minute }),
      lengthMs: fc.integer({ min: 1, max: 20 * minute }),
    }),
    { maxLength: 3 },
  )
  .map((steps) => {
    let now = 0;
    return steps.map(({ kind, afterMs, lengthMs }): Outage => {
      const from = now + afterMs;
      now = from + lengthMs;
      return { kind, from, to: now };
    });
  });

const upstreams = fc.record({
  outages: outageSchedules,
  maxInFlight: inFlightMaxima,
  weight: fc.constantFrom(0.5, 1, 3),
  latencyMs: fc.integer({ min: 1, max: 20 * second }),
  loadMs: fc.constantFrom(0, 30 * second),
});

it('outages of several upstreams cost no line, and all lines end', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(upstreams, upstreams, upstreams),
      fc.integer({ min: 1, max: 300 }),
      seeds,
      async (all, lineCount, seed) => {
        const [first, ...others] = all.map(({ latencyMs, ...more }) =>
          anUpstream({ ...more, latencyOf: () => latencyMs }),
        );
        const result = await runSlices(
          { upstreams: [first ?? anUpstream(), ...others], lineCount, seed },
          2 * hour + lineCount * 40 * second,
        );
        expect(endingsOf(result, lineCount)).toEqual(range(0, lineCount).map(() => 200));
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);

it('lines that never work end at whichever upstreams they are, and cost no other', async () => {
  const poison = { 503: 503, reset: 'upstream_unavailable', hang: 'request_timeout' } as const;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.constantFrom('answer' as const, 'reset' as const, 'hang' as const, 503 as const),
        {
          minLength: 1,
          maxLength: 80,
        },
      ),
      fc.tuple(inFlightMaxima, inFlightMaxima),
      seeds,
      async (behaviours, maxima, seed) => {
        const lineCount = behaviours.length;
        const [first, other] = maxima.map((maxInFlight) =>
          anUpstream({ maxInFlight, behaviourOf: (ordinal) => behaviours[ordinal] ?? 'answer' }),
        );
        const result = await runSlices(
          { upstreams: [first ?? anUpstream(), other ?? anUpstream()], lineCount, seed },
          48 * hour,
        );
        expect(endingsOf(result, lineCount)).toEqual(
          behaviours.map((behaviour) => (behaviour === 'answer' ? 200 : poison[behaviour])),
        );
      },
    ),
    { numRuns: 40 },
  );
}, 300_000);

describe('a line that takes its upstream down', () => {
  const culprit = 7;
  const behaviourOf = (ordinal: number): Behaviour => (ordinal === culprit ? 'crash' : 'answer');

  it('costs itself only, and not one upstream after the other', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          lineCount: fc.integer({ min: 8, max: 400 }),
          maxInFlight: inFlightMaxima,
          restartMs: fc.integer({ min: second, max: 2 * minute }),
          loadMs: fc.constantFrom(0, 10 * second),
          latencyMs: fc.integer({ min: 1, max: 20 * second }),
        }),
        seeds,
        async ({ lineCount, latencyMs, ...more }, seed) => {
          const upstream = anUpstream({ ...more, behaviourOf, latencyOf: () => latencyMs });
          const result = await runSlices(
            { upstreams: [upstream, upstream, upstream], lineCount, seed },
            12 * hour,
          );
          expect(endingsOf(result, lineCount).map((ending) => ending === 200)).toEqual(
            range(0, lineCount).map((ordinal) => ordinal !== culprit),
          );
        },
      ),
      { numRuns: 60 },
    );
  }, 300_000);

  it('is tried at one of them, while the others go on', async () => {
    const upstream = anUpstream({ behaviourOf, restartMs: 20 * second });
    const lineCount = 3_000;
    const result = await runSlices(
      { upstreams: [upstream, upstream, upstream], lineCount, seed: 5 },
      hour,
    );
    expect(endingsOf(result, lineCount).filter((ending) => ending !== 200)).toHaveLength(1);
    const crashes = result.servers.map((server) => server.crashes).sort((a, b) => a - b);
    expect(crashes).toEqual([0, 1, expect.any(Number)]);
  });
});
