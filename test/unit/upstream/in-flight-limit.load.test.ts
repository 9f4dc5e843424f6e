import { runLoad, type LoadWorld } from './simulated-load';

/** The first three have been looked at while tuning, the last one has not. */
const worlds: Readonly<Record<string, Omit<LoadWorld, 'workers'>>> = {
  'a server that batches': {
    ...{ slots: [300, 110, 420], phaseMs: 240_000, queueMax: 90 },
    ...{ serviceMs: 1_800, slowdown: 2.2, spread: 0.7, seed: 4_711 },
  },
  'a server that always takes as long': {
    ...{ slots: [90, 210, 70], phaseMs: 90_000, queueMax: 60 },
    ...{ serviceMs: 700, slowdown: 1, spread: 0, seed: 815 },
  },
  'a server without a queue': {
    ...{ slots: [140, 330, 85], phaseMs: 120_000, queueMax: 0 },
    ...{ serviceMs: 1_000, slowdown: 1.6, spread: 0.4, seed: 2_718 },
  },
  'a server that asks for pauses': {
    ...{ slots: [72, 180, 48], phaseMs: 40_000, queueMax: 50, retryAfterMs: 1_000 },
    ...{ serviceMs: 320, slowdown: 1.2, spread: 0.3, seed: 31_337 },
  },
};

/** What the best of many fixed limits gets done, by the name of the world. */
const best = new Map<string, number>();

beforeAll(() => {
  for (const [name, world] of Object.entries(worlds)) {
    const most = Math.max(...world.slots);
    const limits = [0.5, 0.75, 1, 1.2].map((part) => Math.round(most * part));
    const works = limits.map((limit) => runLoad({ ...world, workers: 1 }, limit).work);
    best.set(name, Math.max(...works));
  }
});

describe('the limit that is found', () => {
  it.each(Object.keys(worlds))('follows what %s tells of its load', (name) => {
    const world = { ...worlds[name], workers: 3, hasMetrics: true } as LoadWorld;
    const { work, refusedPerThousand, inFlightPerRunning } = runLoad(world);
    expect(work / (best.get(name) ?? 0)).toBeGreaterThan(0.97);
    expect(refusedPerThousand).toBeLessThan(10);
    expect(inFlightPerRunning).toBeLessThan(1.15);
  });

  it('fills many slots about as soon as there are answers', () => {
    const world = {
      ...{ slots: [1_000], phaseMs: 100_000, queueMax: 100_000, workers: 1 },
      ...{ serviceMs: 1_000, slowdown: 1, spread: 0, seed: 1_618 },
    };
    expect(runLoad(world).work / runLoad(world, 1_000).work).toBeGreaterThan(0.98);
  });

  it('keeps a server busy whose answers are very unequal, where that hides its queue', () => {
    const world = {
      ...{ slots: [48, 20, 120], phaseMs: 600_000, queueMax: 200, retryAfterMs: 2_000, workers: 1 },
      ...{ serviceMs: 6_000, slowdown: 1.5, spread: 0.9, seed: 9_001 },
    };
    const { work, refusedPerThousand } = runLoad(world);
    expect(work / runLoad(world, 120).work).toBeGreaterThan(0.93);
    expect(refusedPerThousand).toBeLessThan(10);
  });

  it('lets no request wait for ten minutes at a server with few slots and an endless queue', () => {
    const { inFlightPerRunning } = runLoad({
      ...{ slots: [4], phaseMs: 60_000, queueMax: 100_000, workers: 1 },
      ...{ serviceMs: 10_000, slowdown: 1, spread: 0.3, seed: 5 },
    });
    expect(inFlightPerRunning * 10_000).toBeLessThan(500_000);
  });

  it('does not fall below 64 where answers come at once, however few are worked on', () => {
    const { inFlightPerRunning } = runLoad({
      ...{ slots: [1], phaseMs: 3_000, queueMax: 100_000, workers: 1 },
      ...{ serviceMs: 0.1, slowdown: 1, spread: 0.1, seed: 1_414 },
    });
    expect(inFlightPerRunning).toBeGreaterThan(60);
    expect(inFlightPerRunning).toBeLessThan(80);
  });

  it.each(Object.keys(worlds))('keeps %s as busy as the best fixed one', (name) => {
    const world = { ...worlds[name], workers: 1 } as LoadWorld;
    const { work, refusedPerThousand, inFlightPerRunning } = runLoad(world);
    expect(work / (best.get(name) ?? 0)).toBeGreaterThan(0.93);
    expect(refusedPerThousand).toBeLessThan(10);
    expect(inFlightPerRunning).toBeLessThan(1.5);
  });

  it.each(Object.keys(worlds))('lets three workers share %s', (name) => {
    const world = { ...worlds[name], workers: 3 } as LoadWorld;
    const { work, refusedPerThousand, inFlightPerRunning } = runLoad(world);
    expect(work / (best.get(name) ?? 0)).toBeGreaterThan(0.93);
    expect(refusedPerThousand).toBeLessThan(10);
    expect(inFlightPerRunning).toBeLessThan(2);
  });
});
