/** `npm run bench -- SCENARIO`: measures, and prints one JSON object on one line; see README.md. */
import { runProgram } from '../scripts/cli/run-program';
import { LocalError } from '../scripts/local/local-error';
import { toReport, type Findings } from './report';
import { apiLatencyHelp, runApiLatency } from './scenarios/api-latency';
import { reworkHelp, runRework } from './scenarios/rework';
import { cancelHelp, runCancel } from './scenarios/cancel';
import { manyBatchesHelp, runManyBatches } from './scenarios/many-batches';
import { runServerRestart, serverRestartHelp } from './scenarios/server-restart';
import { fairnessHelp, runFairness } from './scenarios/fairness';
import { finalizeHelp, runFinalize } from './scenarios/finalize';
import { hangMemoryHelp, runHangMemory } from './scenarios/hang-memory';
import { runSlowUpload, slowUploadHelp } from './scenarios/slow-upload';
import { runTakeover, takeoverHelp } from './scenarios/takeover';
import { runThroughput, throughputHelp } from './scenarios/throughput';
import { runUpload, uploadHelp } from './scenarios/upload';
import { runValidate, validateHelp } from './scenarios/validate';

interface Scenario {
  readonly help: string;
  readonly run: (args: readonly string[], abort: AbortController) => Promise<Findings>;
}

const scenarios = new Map<string, Scenario>([
  ['throughput', { help: throughputHelp, run: runThroughput }],
  ['upload', { help: uploadHelp, run: runUpload }],
  ['validate', { help: validateHelp, run: runValidate }],
  ['finalize', { help: finalizeHelp, run: runFinalize }],
  ['many-batches', { help: manyBatchesHelp, run: runManyBatches }],
  ['fairness', { help: fairnessHelp, run: runFairness }],
  ['api-latency', { help: apiLatencyHelp, run: runApiLatency }],
  ['rework', { help: reworkHelp, run: runRework }],
  ['takeover', { help: takeoverHelp, run: runTakeover }],
  ['cancel', { help: cancelHelp, run: runCancel }],
  ['server-restart', { help: serverRestartHelp, run: runServerRestart }],
  ['hang-memory', { help: hangMemoryHelp, run: runHangMemory }],
  ['slow-upload', { help: slowUploadHelp, run: runSlowUpload }],
]);

const usage = `Usage: npm run bench -- SCENARIO [options]

${[...scenarios.values()].map(({ help }) => help).join('\n\n')}

The result is the last line of standard output: one JSON object. What happens is told on standard
error. Nothing else should run on the machine meanwhile. The method is in bench/README.md.
`;

/** Resolves to the exit code: 0 when the scenario ran, whether or not its bar is met. */
export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async (abort) => {
    const [name, ...rest] = args;
    if (name === undefined || args.includes('--help') || args.includes('-h')) {
      process.stdout.write(usage);
      return name === undefined ? 2 : 0;
    }
    const scenario = scenarios.get(name);
    if (scenario === undefined) {
      const names = [...scenarios.keys()].join(', ');
      throw new LocalError(`There is no scenario ${name}: choose one of ${names}.`);
    }
    const findings = await scenario.run(rest, abort);
    process.stdout.write(`${toReport(name, findings)}\n`);
    return 0;
  });
}
