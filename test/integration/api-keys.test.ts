/** Who may listen where, and the operator's commands, with the built programs on a real store. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { storeEnvironment } from '../../scripts/local/application';
import { freePort } from '../../scripts/local/ports';
import { answersOk } from '../../scripts/local/http';
import { projectRoot } from '../../scripts/local/project-root';
import { waitUntil } from '../../scripts/local/wait';
import { runAdmin } from '../support/admin-program';
import { MinioServer } from '../support/minio';
import { useTemporaryFolder } from '../support/temporary-folder';

const folder = useTemporaryFolder();

let minio: MinioServer;
beforeAll(async () => {
  minio = await MinioServer.start();
});
afterAll(async () => {
  await minio.stop();
});

function environment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const upstreamsFile = join(folder(), 'upstreams.yaml');
  writeFileSync(
    upstreamsFile,
    'upstreams: [{ name: one, base_url: "http://127.0.0.1:9/v1", models: [small] }]',
  );
  return {
    PATH: process.env['PATH'],
    ...storeEnvironment(minio.config),
    LONGHAUL_UPSTREAMS_FILE: upstreamsFile,
    ...extra,
  };
}

async function admin(...args: string[]): Promise<string> {
  return await runAdmin(args, storeEnvironment(minio.config));
}

function startApi(env: NodeJS.ProcessEnv): {
  readonly api: ChildProcess;
  readonly output: () => string;
} {
  const api = spawn(process.execPath, [join(projectRoot, 'dist', 'src', 'api', 'main.js')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [api.stdout, api.stderr]) {
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  }
  return { api, output: () => text };
}

async function statusWith(port: number, authorization?: string): Promise<number> {
  const answer = await fetch(`http://127.0.0.1:${port}/v1/models`, {
    ...(authorization !== undefined && { headers: { authorization } }),
  });
  return answer.status;
}

async function isUp(port: number): Promise<void> {
  await waitUntil(async () => await answersOk(`http://127.0.0.1:${port}/healthz`), {
    what: 'the API to answer',
    timeoutMs: 30_000,
  });
}

it('refuses to listen beyond its machine without a key, and says what to do', async () => {
  const { api, output } = startApi(environment({ LONGHAUL_API_HOST: '0.0.0.0' }));
  const [exitCode] = (await once(api, 'exit')) as [number];
  expect(exitCode).toBe(1);
  expect(output()).toContain('LONGHAUL_API_HOST=0.0.0.0 can be reached from other machines');
  expect(output()).toContain('npm run admin -- keys create');
});

it('serves its own machine without a key, and warns', async () => {
  const port = await freePort();
  const { api, output } = startApi(environment({ LONGHAUL_API_PORT: String(port) }));
  try {
    await isUp(port);
    expect(await statusWith(port)).toBe(200);
    expect(output()).toContain('there is no API key');
  } finally {
    api.kill();
    await once(api, 'exit');
  }
});

it('listens anywhere once there is a key, takes it, and refuses it when it is revoked', async () => {
  const key = await admin('keys', 'create', '--project', 'team-a');
  const port = await freePort();
  const { api, output } = startApi(
    environment({ LONGHAUL_API_HOST: '0.0.0.0', LONGHAUL_API_PORT: String(port) }),
  );
  try {
    await isUp(port);
    expect(await statusWith(port, `Bearer ${key}`)).toBe(200);
    expect(await statusWith(port, key)).toBe(200);
    expect(await statusWith(port)).toBe(401);
    await admin('keys', 'revoke', key.slice(12, 28));
    expect(await statusWith(port, `Bearer ${key}`)).toBe(401);
    expect(output()).not.toContain(key);
  } finally {
    api.kill();
    await once(api, 'exit');
  }
});
