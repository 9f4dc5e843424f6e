/** What users and tests rely on when they start and stop things: nothing stays behind. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { completePorts, portInfo, type PortName, type Ports } from '../../scripts/local/ports';
import { projectRoot } from '../../scripts/local/project-root';
import { serverBinaries } from '../../scripts/local/server-binaries';
import { startStack } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { useTemporaryFolder } from '../support/temporary-folder';

const folder = useTemporaryFolder();

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function childrenOf(pid: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parent === pid)
    .map(([child]) => child ?? NaN);
}

async function waitUntilGone(pids: readonly number[]): Promise<void> {
  await waitUntil(() => !pids.some(isRunning), { what: 'all processes to end', timeoutMs: 10_000 });
}

describe('a stack', () => {
  it('starts, takes kills and restarts, and leaves no process when it is stopped', async () => {
    const stack = await startStack({ stateDir: folder() });
    const servers = (['minio', 'temporal', 'upstream', 'api'] as const).map((part) =>
      stack.process(part),
    );
    const second = await stack.addWorker();
    const processes = [...servers, ...stack.workers];
    const pids = processes.map(({ pid }) => pid);
    expect(new Set(pids).size).toBe(6);
    expect(second.name).toBe('Worker 2');

    for (const server of [stack.process('minio'), stack.process('temporal'), second]) {
      const before = server.pid;
      server.kill('SIGKILL');
      expect(await server.exited).toEqual({ code: null, signal: 'SIGKILL' });
      await server.start();
      expect(server.pid).not.toBe(before);
    }

    await stack.stop();
    expect([...pids, ...processes.map(({ pid }) => pid)].filter(isRunning)).toEqual([]);
  });

  it('that cannot start says which process, with its last words, and leaves none', async () => {
    const before = childrenOf(process.pid);
    const apiEnv = { LONGHAUL_API_KEY: 'too short' };
    const failure = await startStack({ stateDir: folder(), apiEnv }).catch(String);
    expect(failure).toMatch(/^LocalError: The API ended with exit code 1 before it was ready\./);
    expect(failure).toContain('LONGHAUL_API_KEY: at least 16 characters');
    expect(failure).toContain(join(folder(), 'logs', 'api.log'));
    await waitUntil(() => childrenOf(process.pid).length <= before.length, {
      what: 'the children to end',
      timeoutMs: 10_000,
    });
  });

  it('may be given up while it starts', async () => {
    const abort = new AbortController();
    const started = startStack({ stateDir: folder(), signal: abort.signal });
    abort.abort(new Error('no longer wanted'));
    await expect(started).rejects.toThrow('no longer wanted');
  });

  it('tells of a process that ends by itself', async () => {
    const crashed: string[] = [];
    const stack = await startStack({
      stateDir: folder(),
      parts: ['minio'],
      onCrash: ({ name }, { signal }) => crashed.push(`${name} ${signal ?? ''}`),
    });
    process.kill(stack.process('minio').pid, 'SIGKILL');
    await waitUntil(() => crashed.length > 0, { what: 'the crash', timeoutMs: 5_000 });
    await stack.stop();
    expect(crashed).toEqual(['MinIO SIGKILL']);
  });
});

describe('npm start', () => {
  let launcher: ChildProcess;
  let output: string;
  let ports: Ports;

  beforeEach(async () => {
    ports = await completePorts({});
  });

  afterEach(() => {
    launcher.kill('SIGKILL');
  });

  function launch(): void {
    const { temporal, minio } = serverBinaries();
    const names = Object.keys(portInfo) as PortName[];
    output = '';
    launcher = spawn(process.execPath, ['scripts/longhaul.mjs', 'start', '--state', folder()], {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        LONGHAUL_TEMPORAL_BIN: temporal,
        LONGHAUL_MINIO_BIN: minio,
        ...Object.fromEntries(names.map((name) => [portInfo[name].variable, String(ports[name])])),
      },
    });
    for (const stream of [launcher.stdout, launcher.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8');
      });
    }
  }

  async function waitForOutput(text: string): Promise<void> {
    await waitUntil(() => output.includes(text) || launcher.exitCode !== null, {
      what: text,
      timeoutMs: 90_000,
    });
    expect(output).toContain(text);
  }

  function pidsOfChildren(): number[] {
    const pids = childrenOf(launcher.pid ?? NaN);
    // Temporal, MinIO, upstream, API, worker, and the reaper.
    expect(pids).toHaveLength(6);
    return pids;
  }

  it('stops everything on Ctrl-C, and goes on with its state at the next start', async () => {
    launch();
    await waitForOutput('Longhaul is up');
    const pids = pidsOfChildren();
    const key = /API key +(sk-\S+)/.exec(output)?.[1] ?? 'none';
    launcher.kill('SIGINT');
    expect(await once(launcher, 'close')).toEqual([130, null]);
    await waitUntilGone(pids);

    launch();
    await waitForOutput('Longhaul is up');
    expect(output).toContain(key);
    launcher.kill('SIGTERM');
    expect(await once(launcher, 'close')).toEqual([130, null]);
  });

  it('leaves no process when it is killed itself', async () => {
    launch();
    await waitForOutput('Longhaul is up');
    const pids = pidsOfChildren();
    launcher.kill('SIGKILL');
    await waitUntilGone(pids);
    expect(pids.filter(isRunning)).toEqual([]);
  });

  it('starts a worker again that was killed, and ends when Temporal was', async () => {
    launch();
    await waitForOutput('Longhaul is up');
    const commandOf = (pid: number): string =>
      execFileSync('ps', ['-p', String(pid), '-o', 'args='], { encoding: 'utf8' });
    const pids = pidsOfChildren();
    const pidOf = (text: string): number =>
      pids.find((pid) => commandOf(pid).includes(text)) ?? NaN;
    process.kill(pidOf('worker/main.js'), 'SIGKILL');
    await waitForOutput('Worker 1 is up again.');
    process.kill(pidOf('temporal.db'), 'SIGKILL');
    expect(await once(launcher, 'close')).toEqual([1, null]);
    expect(output).toContain('Temporal was killed by SIGKILL.');
    await waitUntilGone(pids);
  });

  describe('with a port that is in use', () => {
    let other: Server;

    beforeEach(async () => {
      other = createServer();
      other.listen(ports.temporal, '127.0.0.1');
      await once(other, 'listening');
    });

    afterEach(async () => {
      await new Promise((resolve) => other.close(resolve));
    });

    it('says which, what wants it and how to change it', async () => {
      launch();
      expect(await once(launcher, 'close')).toEqual([1, null]);
      expect(output).toContain(
        `Port ${ports.temporal} is in use, and Temporal wants it: end the program that listens there, or set LONGHAUL_TEMPORAL_PORT to another port.`,
      );
    });
  });
});
