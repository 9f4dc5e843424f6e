// TypeScript to dist/, and the workflow bundle; skipped when no source has changed.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inProject, SetupError, withElapsedTime } from './project.mjs';
import { capture } from './run.mjs';

const sourceFolders = ['src', 'workflows', 'activities', 'scripts', 'bench'];
const configFiles = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'];
const entryPoints = ['src/api/main.js', 'src/worker/main.js', 'workflow-bundle.js'];

export async function ensureBuild() {
  const stamp = inProject('dist', '.longhaul-stamp');
  const hash = hashOfSources();
  const isComplete = entryPoints.every((path) => existsSync(inProject('dist', path)));
  if (isComplete && readIfPresent(stamp) === hash) {
    return;
  }
  if (!isComplete) {
    // The compiler believes its own notes about what it has written before.
    rmSync(inProject('dist'), { recursive: true, force: true });
  }
  await withElapsedTime('Building', async () => {
    rmSync(stamp, { force: true });
    await step('The TypeScript build', [
      'node_modules/typescript/bin/tsc',
      '-p',
      'tsconfig.build.json',
    ]);
    await step('Building the workflow bundle', ['dist/scripts/build-workflow-bundle.js']);
    writeFileSync(stamp, hash);
  });
}

async function step(what, args) {
  const { exitCode, output } = await capture(process.execPath, args);
  if (exitCode !== 0) {
    throw new SetupError(`${what} failed:\n${output}`);
  }
}

function hashOfSources() {
  const hash = createHash('sha256');
  const files = [
    ...configFiles.map((name) => inProject(name)),
    ...sourceFolders.flatMap(sourceFiles),
  ];
  for (const file of files) {
    hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

function sourceFiles(folder) {
  return readdirSync(inProject(folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join(inProject(folder), name));
}

function readIfPresent(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
