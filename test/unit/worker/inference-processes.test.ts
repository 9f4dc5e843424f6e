import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitUntil } from '../../../scripts/local/wait';
import { startInferenceProcesses } from '../../../src/worker/inference-processes';
import { settle } from '../../support/eventually';
import { useTemporaryFolder } from '../../support/temporary-folder';

jest.setTimeout(60_000);

const folder = useTemporaryFolder();

/** Says in a file what its settings are, and then does what it is told. */
function aProgram(onStart: string): string {
  appendFileSync(said(), '');
  const path = join(folder(), 'program.cjs');
  const say = `
    const { LONGHAUL_WORKER_ROLES: roles, LONGHAUL_INFERENCE_PROCESSES: processes } = process.env;
    process.on('SIGTERM', () => process.exit(0));
    require('node:fs').appendFileSync(process.env.SAID, \`\${roles} \${processes}\\n\`);
  `;
  writeFileSync(path, say + onStart);
  return path;
}

function said(): string {
  return join(folder(), 'said');
}

async function saidLines(count: number): Promise<string[]> {
  const lines = (): string[] => readFileSync(said(), 'utf8').split('\n').slice(0, -1);
  await waitUntil(() => lines().length >= count, { what: 'processes', timeoutMs: 30_000 });
  return lines();
}

function start(program: string, count: number): ReturnType<typeof startInferenceProcesses> {
  const env = { ...process.env, LONGHAUL_WORKER_ROLES: 'orchestrator,inference', SAID: said() };
  return startInferenceProcesses(program, count, env);
}

test('every process runs slices and nothing else, until all are stopped', async () => {
  const processes = start(aProgram('setInterval(() => undefined, 1000);'), 2);
  expect(await saidLines(2)).toEqual(['inference 1', 'inference 1']);
  processes.stop();
  processes.stop();
  await expect(processes.stopped).resolves.toBeUndefined();
});

test('without processes it still has to be stopped', async () => {
  const processes = start(aProgram(''), 0);
  const onStopped = jest.fn();
  const stopped = processes.stopped.then(onStopped);
  await settle();
  expect(onStopped).not.toHaveBeenCalled();
  processes.stop();
  await stopped;
});

test('a process that is told to stop before it can hear it has nothing to hand over', async () => {
  const program = join(folder(), 'starting.cjs');
  writeFileSync(program, 'setInterval(() => undefined, 1000);');
  const processes = start(program, 1);
  processes.stop();
  await expect(processes.stopped).resolves.toBeUndefined();
});

test('a process that ends without being told to is a failure of all', async () => {
  const ending = start(aProgram('process.exit(0);'), 1);
  await expect(ending.stopped).rejects.toThrow(/exit code 0/);
  const stopped = start(aProgram("process.kill(process.pid, 'SIGINT');"), 1);
  await expect(stopped.stopped).rejects.toThrow(/SIGINT/);
});

test('a process that fails or is killed is a failure of all', async () => {
  const failing = start(aProgram('process.exit(1);'), 1);
  await expect(failing.stopped).rejects.toThrow(/exit code 1/);
  const killed = start(aProgram("process.kill(process.pid, 'SIGKILL');"), 1);
  await expect(killed.stopped).rejects.toThrow(/SIGKILL/);
});
