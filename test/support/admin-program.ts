/** The operator's program, as it is built. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { storeEnvironment } from '../../scripts/local/application';
import { projectRoot } from '../../scripts/local/project-root';
import type { Stack } from '../../scripts/local/stack';

const run = promisify(execFile);

type Environment = Readonly<Record<string, string>>;

/** @returns what the command prints */
export async function runAdmin(args: readonly string[], env: Environment): Promise<string> {
  const program = join(projectRoot, 'dist', 'src', 'admin', 'main.js');
  const { stdout } = await run(process.execPath, [program, ...args], {
    env: { PATH: process.env['PATH'], ...env },
  });
  return stdout.trim();
}

/** The same on the store and the engine of a stack. */
export async function admin(
  { store, temporal }: Stack,
  args: readonly string[],
  env: Environment = {},
): Promise<string> {
  return await runAdmin(args, {
    ...storeEnvironment(store),
    LONGHAUL_TEMPORAL_ADDRESS: temporal.address,
    LONGHAUL_TEMPORAL_NAMESPACE: temporal.namespace,
    ...env,
  });
}
