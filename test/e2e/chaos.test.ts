import { runChaos } from '../../scripts/chaos/run-chaos';
import type { SeedReport } from '../../scripts/chaos/seed-report';

/** Chosen for what they do, and because they take little time. */
const seeds = [3, 4, 5, 6, 17];

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
