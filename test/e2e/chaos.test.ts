import { runChaos } from '../../scripts/chaos/run-chaos';
import type { SeedReport } from '../../scripts/chaos/seed-report';

/**
 * Small ones that do much: a worker that wakes up too late, a batch that is terminated, everything
 * killed at once, a shard that is cancelled by hand, a completion window that ends.
 */
const seeds = [43, 63, 73, 92, 167];

it('ends batches whatever is killed meanwhile, with one line for every request', async () => {
  const reports: SeedReport[] = [];
  const { leakedPids } = await runChaos({
    seeds,
    until: Infinity,
    signal: new AbortController().signal,
    onSeed: (report) => reports.push(report),
    tell: () => undefined,
  });
  expect(reports.map(({ seed, problems }) => ({ seed, problems }))).toEqual(
    seeds.map((seed) => ({ seed, problems: [] })),
  );
  expect(leakedPids).toEqual([]);
}, 600_000);
