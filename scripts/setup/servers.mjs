// The two servers, Temporal and MinIO: found or built. In this order: a path in the environment,
// PATH, the project's cache folder, a build from the pinned Go module in tools/.
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { cacheFolderOf, ensureCacheFolder, isAlive } from './cache.mjs';
import { inProject, SetupError, withElapsedTime } from './project.mjs';
import { capture, timeoutExitCode } from './run.mjs';

/** `versionPattern` says whether `--version` printed what this program prints. */
export const servers = {
  temporal: {
    variable: 'LONGHAUL_TEMPORAL_BIN',
    package: 'github.com/temporalio/cli/cmd/temporal',
    versionPattern: /^temporal version .*Server (\d+)\.(\d+)/m,
    // The first server whose task queues can be fair to many batches.
    versionMin: [1, 29],
    buildMinutes: 3,
  },
  minio: {
    variable: 'LONGHAUL_MINIO_BIN',
    package: 'github.com/minio/minio',
    versionPattern: /^Copyright: .* MinIO, Inc\.$/m,
    versionMin: [],
    buildMinutes: 3,
  },
};

const goVersionMin = [1, 26, 4];

/** A program that takes longer to say its version hangs, whatever it waits for. */
const versionTimeoutMs = 10_000;
const noAnswer = `did not say its version within ${versionTimeoutMs / 1000} s`;

/**
 * Built servers are kept in LONGHAUL_CACHE_DIR, or else in the project.
 *
 * @returns the absolute path of the program of each server, by name
 */
export async function obtainServers(env = process.env) {
  const cacheFolder = join(cacheFolderOf(env), 'bin');
  const names = Object.keys(servers);
  const found = await Promise.all(names.map((name) => findServer(name, env, cacheFolder)));
  for (const [index, name] of names.entries()) {
    found[index] ??= await buildServer(name, env, cacheFolder);
  }
  return Object.fromEntries(names.map((name, index) => [name, found[index]]));
}

async function findServer(name, env, cacheFolder) {
  const { variable } = servers[name];
  const given = env[variable];
  if (given !== undefined && given !== '') {
    const fault = await faultOf(name, given);
    if (fault !== undefined) {
      throw new SetupError(
        `${variable} is ${given}, which ${fault}: set it to a working ${name} program, or unset it to have one found or built.`,
      );
    }
    return resolve(given);
  }
  const onPath = findOnPath(name, env);
  if (onPath !== undefined) {
    const fault = await faultOf(name, onPath);
    if (fault === undefined) {
      return onPath;
    }
    process.stderr.write(`Passing over ${onPath}, which ${fault}.\n`);
  }
  const cached = join(cacheFolder, cacheName(name));
  return existsSync(cached) && (await faultOf(name, cached)) === undefined ? cached : undefined;
}

function findOnPath(name, env) {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why a program is not the server, to go after "which"; `undefined` when it is. */
async function faultOf(name, path) {
  const { exitCode, output } = await capture(path, ['--version'], { timeoutMs: versionTimeoutMs });
  if (exitCode === timeoutExitCode) {
    return noAnswer;
  }
  if (exitCode !== 0) {
    return 'cannot be run';
  }
  const { versionPattern, versionMin } = servers[name];
  const version = versionPattern.exec(output);
  if (version === null) {
    return `does not say that it is ${name} when asked for its version`;
  }
  return isAtLeast(version.slice(1).map(Number), versionMin)
    ? undefined
    : `is older than server ${versionMin.join('.')}`;
}

/** The hash keeps a server that was built from other pins from being taken for this one. */
function cacheName(name) {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum']) {
    hash.update(readFileSync(inProject('tools', name, file)));
  }
  return `${name}-${hash.digest('hex').slice(0, 12)}`;
}

async function buildServer(name, env, cacheFolder) {
  await assertGo(name, env);
  ensureCacheFolder(cacheFolder, 'built servers');
  const target = join(cacheFolder, cacheName(name));
  const unfinished = join(cacheFolder, `${name}-unfinished-${process.pid}`);
  const what = `Building ${name} from tools/${name}, which takes about ${servers[name].buildMinutes} minutes the first time`;
  try {
    await withElapsedTime(what, () => build(name, env, unfinished));
    const fault = await faultOf(name, unfinished);
    if (fault !== undefined) {
      throw new SetupError(
        `The ${name} that was built ${fault}; try again, or set ${servers[name].variable}.`,
      );
    }
    renameSync(unfinished, target);
  } finally {
    rmSync(unfinished, { force: true });
  }
  removeOthers(name, cacheFolder);
  return target;
}

async function build(name, env, output) {
  const args = ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', output];
  const result = await capture('go', [...args, servers[name].package], {
    cwd: inProject('tools', name),
    env: { ...goEnvironment(env), CGO_ENABLED: '0' },
  });
  if (result.exitCode !== 0) {
    throw new SetupError(
      `Building ${name} failed, and it can be had otherwise: install it and set ${servers[name].variable}. What go said:\n${result.output}`,
    );
  }
}

/** GOTOOLCHAIN=local: go shall not fetch another go of its own accord. */
function goEnvironment(env) {
  return { ...env, GOTOOLCHAIN: 'local', GOWORK: 'off' };
}

async function assertGo(name, env) {
  const remedy =
    `install Go ${goVersionMin.join('.')} or newer (https://go.dev/dl), ` +
    `or install ${name} and put it on PATH or into ${servers[name].variable}.`;
  const { exitCode, output } = await capture('go', ['version'], {
    env: goEnvironment(env),
    timeoutMs: versionTimeoutMs,
  });
  if (exitCode === timeoutExitCode) {
    throw new SetupError(
      `There is no ${name} on this machine, and its Go, which would build it, ${noAnswer}: ${remedy}`,
    );
  }
  const version = /go(\d+)\.(\d+)(?:\.(\d+))?/.exec(output);
  if (exitCode !== 0 || version === null) {
    throw new SetupError(
      `There is no ${name} on this machine and no Go to build it with: ${remedy}`,
    );
  }
  if (
    !isAtLeast(
      version.slice(1).map((part) => Number(part ?? 0)),
      goVersionMin,
    )
  ) {
    throw new SetupError(
      `There is no ${name} on this machine, and its Go (${version[0]}) is too old to build it: ${remedy}`,
    );
  }
}

function isAtLeast(version, versionMin) {
  for (const [index, least] of versionMin.entries()) {
    if (version[index] !== least) {
      return version[index] > least;
    }
  }
  return true;
}

/** Builds of other pins, and what interrupted builds of processes that are gone have left. */
function removeOthers(name, cacheFolder) {
  const isOther = (file) => file.startsWith(`${name}-`) && file !== cacheName(name);
  const isBeingBuilt = (file) => isAlive(Number(/-unfinished-(\d+)$/.exec(file)?.[1]));
  for (const file of readdirSync(cacheFolder).filter(
    (file) => isOther(file) && !isBeingBuilt(file),
  )) {
    rmSync(join(cacheFolder, file), { force: true });
  }
}
