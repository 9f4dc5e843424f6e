/**
 * One scenario in a process of its own. Its one argument is a {@link ScenarioTask} as JSON; it prints
 * the scenario's result, and is interrupted by the end of its standard input.
 */
import { runProgram } from '../scripts/cli/run-program';
import { runScenario } from './suite';

export interface ScenarioTask {
  readonly name: string;
  readonly args: readonly string[];
}

async function main(): Promise<number> {
  const { name, args } = JSON.parse(process.argv[2] ?? '') as ScenarioTask;
  process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGTERM'));
  return await runProgram(async (abort) => {
    process.stdout.write(`${await runScenario(name, args, abort)}\n`);
    return 0;
  });
}

void main().then((exitCode) => {
  process.exit(exitCode);
});
