/** `npm run admin`: the operator's commands, on the store of `npm start` unless told otherwise. */
import { join } from 'node:path';
import { main as runAdminProgram } from '../src/admin/main';
import { runProgram } from './cli/run-program';
import { serverEnvironment } from './local/application';
import { LocalError } from './local/local-error';
import { portsFromEnvironment } from './local/ports';
import { projectRoot } from './local/project-root';
import { readCredentials } from './local/state-folder';

export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async () => {
    const isConfigured = (process.env['LONGHAUL_S3_ACCESS_KEY'] ?? '') !== '';
    const isHelp = args.length === 0 || args.includes('--help') || args.includes('-h');
    const env = isConfigured || isHelp ? process.env : localEnvironment();
    return await runAdminProgram(args, env);
  });
}

function localEnvironment(): NodeJS.ProcessEnv {
  const credentials = readCredentials(join(projectRoot, '.longhaul', 'state'));
  if (credentials === undefined) {
    throw new LocalError(
      'There is nothing to administer yet: run `npm start` in another terminal, or set LONGHAUL_S3_ENDPOINT, LONGHAUL_S3_ACCESS_KEY and LONGHAUL_S3_SECRET_KEY to those of your store.',
    );
  }
  return { ...process.env, ...serverEnvironment(credentials, portsFromEnvironment(process.env)) };
}
