/** The folder in which a stack keeps everything: who uses it, its secrets, and where things are in it. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from './local-error';

export interface StateFolder {
  readonly path: string;
  readonly temporalDatabase: string;
  readonly minioData: string;
  readonly minioCertificates: string;
  readonly upstreamsFile: string;
  readonly credentialsFile: string;
  readonly credentials: Credentials;
  logFile(processName: string): string;
  /** Lets the next stack have the folder. */
  release(): void;
}

/** Made at random when the folder is first used, and kept in it for its owner's eyes only. */
interface Credentials {
  readonly apiKey: string;
  readonly minioUser: string;
  readonly minioPassword: string;
}

/** @throws {@link LocalError} when another process that is alive uses the folder. */
export function openStateFolder(path: string): StateFolder {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const lockFile = join(path, 'lock');
  lock(lockFile, path);
  const credentialsFile = join(path, 'credentials.json');
  return {
    path,
    temporalDatabase: join(path, 'temporal.db'),
    minioData: join(path, 'minio'),
    minioCertificates: join(path, 'minio-certificates'),
    upstreamsFile: join(path, 'upstreams.yaml'),
    credentialsFile,
    credentials: loadOrMakeCredentials(credentialsFile),
    logFile: (processName) => join(path, 'logs', `${processName}.log`),
    release: () => {
      rmSync(lockFile, { force: true });
    },
  };
}

/**
 * Deletes everything that an earlier stack has left.
 *
 * @throws {@link LocalError} when a process that is alive uses the folder.
 */
export function clearStateFolder(path: string): void {
  assertUnlocked(join(path, 'lock'), path);
  rmSync(path, { recursive: true, force: true });
}

/** Two Temporals on one database file would destroy it. */
function lock(lockFile: string, path: string): void {
  assertUnlocked(lockFile, path);
  rmSync(lockFile, { force: true });
  writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
}

function assertUnlocked(lockFile: string, path: string): void {
  const owner = Number(readIfPresent(lockFile) ?? NaN);
  if (isAlive(owner)) {
    throw new LocalError(
      `The state folder ${path} is in use by process ${owner}: stop that one first (if it has nothing to do with Longhaul, delete ${lockFile}).`,
    );
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) {
    return false;
  }
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function loadOrMakeCredentials(path: string): Credentials {
  const kept = readIfPresent(path);
  if (kept !== undefined) {
    return JSON.parse(kept) as Credentials;
  }
  const credentials: Credentials = {
    apiKey: `sk-${randomBytes(24).toString('base64url')}`,
    minioUser: `longhaul-${randomBytes(4).toString('hex')}`,
    minioPassword: randomBytes(24).toString('base64url'),
  };
  writeFileSync(path, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  return credentials;
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}
