/** What poison lines and outages cost, over simulated hours. */
import fc from 'fast-check';
import type { Behaviour, Outage, SimulatedServerOptions } from './simulated-server';
import { defaultPatienceMs, endingsOf, hour, minute, runSlices, second } from './simulated-run';
import { range } from './support';

const requestTimeoutMs = 2 * minute;

interface World extends Omit<SimulatedServerOptions, 'clock'> {
  readonly lineCount: number;
  readonly maxInFlight: number;
  readonly seed: number;
  readonly patienceMs?: number;
}

async function run(world: World, limitMs: number): ReturnType<typeof runSlices> {
  return await runSlices({ ...world, upstreams: [{ ...world, requestTimeoutMs }] }, limitMs);
}

/** How a line of this behaviour ends. */
const endings: Readonly<Record<string, unknown>> = {
  answer: 200,
  503: 503,
  reset: 'upstream_unavailable',
  garbage: 'invalid_answer',
  hang: 'request_timeout',
  crash: 'upstream_unavailable',
};

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const inFlightMaxima = fc.constantFrom(1, 2, 8, 64);

/** So many lines of `behaviours`, the others good, in any order. */
function mixes(
  behaviours: readonly Behaviour[],
  counts: { readonly bad: number; readonly good: number },
): fc.Arbitrary<Behaviour[]> {
  return fc
    .tuple(
      fc.array(fc.constantFrom(...behaviours), { minLength: 1, maxLength: counts.bad }),
      fc.integer({ min: 0, max: counts.good }),
      fc.boolean(),
    )
    .chain(([bad, good, isShuffled]) => {
      const all: Behaviour[] = [...bad, ...Array.from({ length: good }, () => 'answer' as const)];
      return isShuffled ? fc.shuffledSubarray(all, { minLength: all.length }) : fc.constant(all);
    });
}

it('any number of poison lines end, each with its reason, and cost no other line', async () => {
  const poison = ['reset', 'garbage', 'hang', 503] as const;
  await fc.assert(
    fc.asyncProperty(
      mixes(poison, { bad: 120, good: 60 }),
      inFlightMaxima,
      fc.integer({ min: 1, max: 20 * second }),
      seeds,
      async (behaviours, maxInFlight, latencyMs, seed) => {
        const lineCount = behaviours.length;
        const hanging = behaviours.filter((behaviour) => behaviour === 'hang').length;
        const rounds = Math.ceil(hanging / Math.min(16, maxInFlight)) + 1;
        const limitMs =
          2 * defaultPatienceMs + rounds * 14 * requestTimeoutMs + lineCount * 10 * latencyMs;
        const result = await run(
          {
            lineCount,
            maxInFlight,
            seed,
            behaviourOf: (ordinal) => behaviours[ordinal] ?? 'answer',
            latencyOf: () => latencyMs,
          },
          limitMs,
        );
        expect(endingsOf(result, lineCount)).toEqual(
          behaviours.map((behaviour) => endings[behaviour]),
        );
      },
    ),
    { numRuns: 40 },
  );
}, 300_000);

const outageLengths = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 1, max: 2 * minute }) },
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 2 * hour }) },
  { weight: 1, arbitrary: fc.constant(24 * hour) },
);

const outageSchedules = fc
  .array(
    fc.record({
      kind: fc.constantFrom(
        'refuse' as const,
        'accept and close' as const,
        503 as const,
        'hang' as const,
      ),
      afterMs: fc.integer({ min: 0, max: 5 * minute }),
      lengthMs: outageLengths,
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((steps) => {
    let now = 0;
    return steps.map(({ kind, afterMs, lengthMs }): Outage => {
      const from = now + afterMs;
      now = from + lengthMs;
      return { kind, from, to: now };
    });
  });

it('outages cost no line, however long they last and however few lines there are', async () => {
  await fc.assert(
    fc.asyncProperty(
      outageSchedules,
      fc.record({
        lineCount: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 4, max: 200 })),
        latencyMs: fc.integer({ min: 1, max: 60 * second }),
        maxInFlight: inFlightMaxima,
        patience: fc.oneof(
          fc.constant({ patienceMs: second, loadMs: 0 }),
          fc.record({
            patienceMs: fc.constant(defaultPatienceMs),
            loadMs: fc.integer({ min: 0, max: 4 * minute }),
          }),
        ),
      }),
      seeds,
      async (outages, { patience, ...world }, seed) => {
        const { lineCount, latencyMs } = world;
        const limitMs = (outages.at(-1)?.to ?? 0) + hour + lineCount * 4 * latencyMs;
        const result = await run(
          {
            ...world,
            ...patience,
            seed,
            outages,
            behaviourOf: () => 'answer',
            latencyOf: () => latencyMs,
          },
          limitMs,
        );
        expect(endingsOf(result, lineCount)).toEqual(range(0, lineCount).map(() => 200));
      },
    ),
    { numRuns: 40 },
  );
}, 300_000);

it('a line that takes its server down costs itself only', async () => {
  await fc.assert(
    fc.asyncProperty(
      mixes(['crash'], { bad: 5, good: 100 }),
      inFlightMaxima,
      fc.record({
        restartMs: fc.integer({ min: 100, max: 5 * minute }),
        loadMs: fc.constantFrom(0, 10 * second, 2 * minute),
        latencyMs: fc.integer({ min: 1, max: 30 * second }),
        crashAfterMs: fc.integer({ min: 1, max: 30 * second }),
      }),
      seeds,
      async (behaviours, maxInFlight, { restartMs, loadMs, latencyMs, crashAfterMs }, seed) => {
        const lineCount = behaviours.length;
        const limitMs = 24 * hour;
        const result = await run(
          {
            lineCount,
            maxInFlight,
            seed,
            restartMs,
            loadMs,
            behaviourOf: (ordinal) => behaviours[ordinal] ?? 'answer',
            latencyOf: (ordinal) => (behaviours[ordinal] === 'crash' ? crashAfterMs : latencyMs),
          },
          limitMs,
        );
        expect(endingsOf(result, lineCount).map((ending) => ending === 200)).toEqual(
          behaviours.map((behaviour) => behaviour === 'answer'),
        );
      },
    ),
    { numRuns: 60 },
  );
}, 300_000);

it('a line that takes its server down at the end of each slice does not go on for ever', async () => {
  const lineCount = 18;
  const result = await run(
    {
      lineCount,
      maxInFlight: 2,
      seed: 767_450_250,
      // With the time to the crash about as long as a slice.
      restartMs: 266_541,
      behaviourOf: (ordinal) => (ordinal < 2 ? 'crash' : 'answer'),
      latencyOf: (ordinal) => (ordinal < 2 ? 28_999 : 1),
    },
    6 * hour,
  );
  expect(endingsOf(result, lineCount)).toEqual(
    range(0, lineCount).map((ordinal) => (ordinal < 2 ? 'upstream_unavailable' : 200)),
  );
});

it('an upstream that answers lines but no health check is no worse for it', async () => {
  const behaviours = range(0, 60).map((ordinal): Behaviour => (ordinal < 12 ? 'reset' : 'answer'));
  for (const checkStatus of [500, 503]) {
    const world = { lineCount: behaviours.length, maxInFlight: 8, seed: checkStatus, checkStatus };
    const result = await run(
      {
        ...world,
        behaviourOf: (ordinal) => behaviours[ordinal] ?? 'answer',
        latencyOf: () => 3 * second,
        outages: [{ kind: 'accept and close', from: 7 * second, to: 2 * minute }],
      },
      2 * hour,
    );
    expect(endingsOf(result, behaviours.length)).toEqual(
      behaviours.map((behaviour) => endings[behaviour]),
    );
  }
});
