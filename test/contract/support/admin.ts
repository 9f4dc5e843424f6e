/** The operator's commands, on the store and the engine of a stack. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '../../../scripts/local/project-root';
import type { Stack } from '../../../scripts/local/stack';

const run = promisify(execFile);

/** @returns what the command prints */
export async function admin(
  stack: Stack,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { store, temporal } = stack;
  const program = join(projectRoot, 'dist', 'src', 'admin', 'main.js');
  const { stdout } = await run(process.execPath, [program, ...args], {
    env: {
      PATH: process.env['PATH'],
      LONGHAUL_S3_ENDPOINT: store.endpoint,
      LONGHAUL_S3_REGION: store.region,
      LONGHAUL_S3_BUCKET: store.bucket,
      LONGHAUL_S3_ACCESS_KEY: store.accessKey,
      LONGHAUL_S3_SECRET_KEY: store.secretKey,
      LONGHAUL_TEMPORAL_ADDRESS: temporal.address,
      LONGHAUL_TEMPORAL_NAMESPACE: temporal.namespace,
      ...env,
    },
  });
  return stdout;
}
