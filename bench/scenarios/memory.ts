/** Whether a large batch needs more memory than a small one. */
import { say } from '../../scripts/cli/run-program';
import { startLoadUpstream } from '../load-upstream';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import { atMost, everyBar, type Findings } from '../report';
import { lineBytesOf, requestBodyFor } from '../request-lines';
import { describeService, runService, type ServiceRun } from '../throughput-service';

export const memoryHelp = `memory: peak memory of each process with a large batch, over that with a small one
  --lines N               requests of the large batch (5000000)
  --small-lines N         requests of the small one (5000)
  --line-bytes N          of each request; 2000 makes a file of 10 GB (430)
  --workers N             worker processes (1)
  --in-flight N           requests in flight of each of them (64)`;

const defaults = {
  lines: 5_000_000,
  'small-lines': 5_000,
  'line-bytes': 430,
  workers: 1,
  'in-flight': 64,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 2, aim: 1.3 };
/** Not ours: reported, without a bar. */
const servers: readonly string[] = ['minio', 'temporal'];

export async function runMemory(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const { workers, 'in-flight': inFlight } = parameters;
  const body = requestBodyFor(parameters['line-bytes']);
  const upstream = await startLoadUpstream({ latencyMs: 0, slots: Infinity });
  try {
    const run = async (lines: number): Promise<ServiceRun> =>
      await runService({ lines, workers, inFlight, body }, upstream, abort);
    const small = await run(parameters['small-lines']);
    const large = await run(parameters.lines);
    return findingsOf({ small, large }, parameters);
  } finally {
    await upstream.stop();
  }
}

function findingsOf(
  { small, large }: Readonly<Record<'small' | 'large', ServiceRun>>,
  parameters: Parameters,
): Findings {
  const ratios = Object.entries(large.peakRssBytes).map(
    ([name, bytes]) => [name, rounded(bytes / (small.peakRssBytes[name] ?? NaN))] as const,
  );
  say(ratios.map(([name, ratio]) => `${name}: ${ratio}`).join(', '));
  const ours = ratios.filter(([name]) => !servers.includes(name));
  return {
    ratio: Math.max(...ours.map(([, ratio]) => ratio)),
    ratio_of_processes: Object.fromEntries(ratios),
    bar: everyBar(ours.map(([name, ratio]) => atMost(`ratio of ${name}`, ratio, ratioGoal))),
    reference: { batch: 'the small one', ...describeService([small]) },
    service: { batch: 'the large one', ...describeService([large]) },
    parameters: {
      ...parameters,
      input_bytes: parameters.lines * lineBytesOf(requestBodyFor(parameters['line-bytes'])),
    },
  };
}
