/** The folder in which a stack keeps everything: who uses it, its secrets, and where things are in it. */
import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
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
type Credentials = Readonly<z.infer<typeof credentialsSchema>>;

const credentialsSchema = z.object({
  apiKey: z.string().min(1),
  minioUser: z.string().min(1),
  minioPassword: z.string().min(1),
});

/**
 * @throws {@link LocalError} when the folder cannot be made or written to, another process that is
 *   alive uses it, or its credentials are broken.
 */
export function openStateFolder(path: string): StateFolder {
  ensureFolder(path);
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

/** What the stack that uses, or used, a folder keeps in it; `undefined` when there was none. */
export function readCredentials(path: string): Credentials | undefined {
  const file = join(path, 'credentials.json');
  const kept = readIfPresent(file);
  return kept === undefined ? undefined : parseCredentials(kept, file);
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

function ensureFolder(path: string): void {
  try {
    makeFolder(path);
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new LocalError(
      `The state folder ${path} cannot be used: ${(error as Error).message}. It must be a folder that you may write to.`,
    );
  }
}

/** Step by step: in /proc, where nobody can make a folder, Node's recursive call never returns. */
function makeFolder(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) {
    return;
  }
  if (found === undefined) {
    makeFolder(dirname(path));
  }
  mkdirSync(path, { mode: 0o700 });
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
    return parseCredentials(kept, path);
  }
  const credentials: Credentials = {
    apiKey: `sk-${randomBytes(24).toString('base64url')}`,
    minioUser: `longhaul-${randomBytes(4).toString('hex')}`,
    minioPassword: randomBytes(24).toString('base64url'),
  };
  const unfinished = `${path}.unfinished`;
  writeFileSync(unfinished, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, path);
  return credentials;
}

function parseCredentials(text: string, path: string): Credentials {
  try {
    return credentialsSchema.parse(JSON.parse(text));
  } catch {
    throw new LocalError(
      `The credentials file ${path} is broken: restore it, or delete it to have new credentials made (files and batches stay, clients need the new API key).`,
    );
  }
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
