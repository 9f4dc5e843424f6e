import { parseOptions } from '../scripts/cli/parse-options';
import { say } from '../scripts/cli/run-program';
import { startProgram } from './child-program';
import type { ScenarioTask } from './scenario-program';
import { scenarios } from './suite';

export const allHelp = `all: every scenario, one after the other
  --small                 with few requests: whether each runs, and not how fast anything is`;

/**
 * Prints the result of each scenario on a line of its own, or that it has failed, and goes on. Each
 * has a process of its own, so that none finds what another has left in memory.
 *
 * @returns the exit code: 0 when every scenario ran, 1 when one has failed.
 */
export async function runAll(args: readonly string[], signal: AbortSignal): Promise<number> {
  const { small = false } = parseOptions(args, { small: { type: 'boolean' } });
  let failures = 0;
  for (const [name, scenario] of scenarios) {
    signal.throwIfAborted();
    say(`\n${name}`);
    const task: ScenarioTask = { name, args: small ? scenario.small.split(' ') : [] };
    try {
      const program = await startProgram('scenario-program', task, signal);
      await program.stop();
      process.stdout.write(`${JSON.stringify(program.output)}\n`);
    } catch {
      signal.throwIfAborted();
      failures += 1;
      const failure = 'The scenario has failed; standard error says why.';
      process.stdout.write(`${JSON.stringify({ scenario: name, failure })}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}
