import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './project-root';

export interface ServerBinaries {
  readonly temporal: string;
  readonly minio: string;
}

let found: ServerBinaries | undefined;

/**
 * The programs of the two servers. The launcher names them in the environment; where it was passed
 * by (jest by hand), it is asked, which builds them if need be and says so on standard error.
 */
export function serverBinaries(): ServerBinaries {
  found ??= fromEnvironment() ?? fromLauncher();
  return found;
}

function fromEnvironment(): ServerBinaries | undefined {
  const temporal = process.env['LONGHAUL_TEMPORAL_BIN'] ?? '';
  const minio = process.env['LONGHAUL_MINIO_BIN'] ?? '';
  return temporal !== '' && minio !== '' ? { temporal, minio } : undefined;
}

function fromLauncher(): ServerBinaries {
  const launcher = join(projectRoot, 'scripts', 'longhaul.mjs');
  const answer = execFileSync(process.execPath, [launcher, 'servers'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(answer) as ServerBinaries;
}
