/** The launcher of every npm script, run where nothing but stand-ins for other programs is found. */
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../scripts/local/project-root';
import { useTemporaryFolder } from './temporary-folder';

interface Outcome {
  readonly exitCode: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Shell scripts by the name of the program that they stand in for. */
type Programs = Readonly<Record<string, string>>;

interface Launcher {
  /** Of the current test. */
  readonly folder: () => string;
  /** Runs it in an empty environment whose PATH holds nothing but the given programs. */
  readonly launch: (
    args: readonly string[],
    programs?: Programs,
    env?: Readonly<Record<string, string>>,
  ) => Promise<Outcome>;
}

export function useLauncher(): Launcher {
  const folder = useTemporaryFolder();
  const launch: Launcher['launch'] = async (args, programs = {}, env = {}) => {
    const bin = installPrograms(join(folder(), 'bin'), programs);
    const cache = join(folder(), 'cache');
    return await new Promise((resolve) => {
      const command = [join(projectRoot, 'scripts', 'longhaul.mjs'), ...args];
      const options = { env: { PATH: bin, LONGHAUL_CACHE_DIR: cache, ...env } };
      execFile(process.execPath, command, options, (error, stdout, stderr) => {
        resolve({ exitCode: error === null ? 0 : error.code, stdout, stderr });
      });
    });
  };
  return { folder, launch };
}

/** Returns the folder that they are in. */
export function installPrograms(bin: string, programs: Programs): string {
  mkdirSync(bin, { recursive: true });
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(bin, name), 0o755);
  }
  return bin;
}
