/** `npm run bench -- SCENARIO`: measures, and prints one JSON object on one line; see README.md. */
import { runProgram } from '../scripts/cli/run-program';
import { allHelp, runAll } from './run-all';
import { runScenario, scenarios } from './suite';

const usage = `Usage: npm run bench -- SCENARIO|all [options]

${[...[...scenarios.values()].map(({ help }) => help), allHelp].join('\n\n')}

The result is the last line of standard output: one JSON object, of \`all\` one on a line for each
scenario. What happens is told on standard error. Nothing else should run on the machine meanwhile.
The method is in bench/README.md.
`;

/** Resolves to the exit code: 0 when the scenario ran, whether or not its bar is met. */
export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async (abort) => {
    const [name, ...rest] = args;
    if (name === undefined || args.includes('--help') || args.includes('-h')) {
      process.stdout.write(usage);
      return name === undefined ? 2 : 0;
    }
    if (name === 'all') {
      return await runAll(rest, abort.signal);
    }
    process.stdout.write(`${await runScenario(name, rest, abort)}\n`);
    return 0;
  });
}
