import { LocalError } from '../scripts/local/local-error';
import { toReport, type Findings } from './report';
import { adaptiveHelp, runAdaptive } from './scenarios/adaptive';
import { apiLatencyHelp, runApiLatency } from './scenarios/api-latency';
import { cancelHelp, runCancel } from './scenarios/cancel';
import { fairnessHelp, runFairness } from './scenarios/fairness';
import { finalizeHelp, runFinalize } from './scenarios/finalize';
import { hangMemoryHelp, runHangMemory } from './scenarios/hang-memory';
import { hostileHelp, runHostile } from './scenarios/hostile';
import { manyBatchesHelp, runManyBatches } from './scenarios/many-batches';
import { memoryHelp, runMemory } from './scenarios/memory';
import { prefixHelp, runPrefix } from './scenarios/prefix';
import { reworkHelp, runRework } from './scenarios/rework';
import { runServerRestart, serverRestartHelp } from './scenarios/server-restart';
import { runSlowUpload, slowUploadHelp } from './scenarios/slow-upload';
import { runTakeover, takeoverHelp } from './scenarios/takeover';
import { runThroughput, throughputHelp } from './scenarios/throughput';
import { runUpload, uploadHelp } from './scenarios/upload';
import { runValidate, validateHelp } from './scenarios/validate';

interface Scenario {
  readonly help: string;
  readonly run: (args: readonly string[], abort: AbortController) => Promise<Findings>;
  /** Options with which it takes about a minute: whether it runs, and not how fast anything is. */
  readonly small: string;
}

/** In the order in which `all` runs them: those about speed first. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([
  [
    'throughput',
    {
      help: throughputHelp,
      run: runThroughput,
      small: '--latencies-ms 0,20 --runs 1 --lines 1000 --slots 100 --reference-requests 2000',
    },
  ],
  ['upload', { help: uploadHelp, run: runUpload, small: '--gigabytes 0.05 --rounds 1' }],
  ['validate', { help: validateHelp, run: runValidate, small: '--lines 10000 --runs 1' }],
  [
    'finalize',
    { help: finalizeHelp, run: runFinalize, small: '--megabytes 60 --shards 8 --rounds 1' },
  ],
  ['memory', { help: memoryHelp, run: runMemory, small: '--lines 10000 --small-lines 500' }],
  [
    'many-batches',
    { help: manyBatchesHelp, run: runManyBatches, small: '--batches 10 --rounds 1' },
  ],
  ['fairness', { help: fairnessHelp, run: runFairness, small: '--lines 20000 --rounds 1' }],
  [
    'adaptive',
    {
      help: adaptiveHelp,
      run: runAdaptive,
      small: '--capacities 24,8,48 --seconds 4 --waits 16 --limits 32 --ceiling 64',
    },
  ],
  ['prefix', { help: prefixHelp, run: runPrefix, small: '--lines 500 --prefixes 20' }],
  ['api-latency', { help: apiLatencyHelp, run: runApiLatency, small: '--lines 10000 --polls 20' }],
  ['cancel', { help: cancelHelp, run: runCancel, small: '--rounds 1 --lines 20000' }],
  ['takeover', { help: takeoverHelp, run: runTakeover, small: '--rounds 1' }],
  [
    'server-restart',
    {
      help: serverRestartHelp,
      run: runServerRestart,
      small: '--lines 60000 --down-seconds 2 --gap-seconds 3',
    },
  ],
  ['rework', { help: reworkHelp, run: runRework, small: '--lines 20000 --kill-every-seconds 5' }],
  [
    'hostile',
    {
      help: hostileHelp,
      run: runHostile,
      small: '--bad-lines 200000 --endless-megabytes 100 --large-lines 1 --slow-lines 5',
    },
  ],
  ['hang-memory', { help: hangMemoryHelp, run: runHangMemory, small: '--minutes 1' }],
  ['slow-upload', { help: slowUploadHelp, run: runSlowUpload, small: '--minutes 0.2' }],
]);

/**
 * @returns the scenario's one line of standard output.
 * @throws `LocalError` when there is no such scenario, or not such an option.
 */
export async function runScenario(
  name: string,
  args: readonly string[],
  abort: AbortController,
): Promise<string> {
  const scenario = scenarios.get(name);
  if (scenario === undefined) {
    const names = [...scenarios.keys(), 'all'].join(', ');
    throw new LocalError(`There is no scenario ${name}: choose one of ${names}.`);
  }
  return toReport(name, await scenario.run(args, abort));
}
