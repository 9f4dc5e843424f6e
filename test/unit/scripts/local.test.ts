import { createServer, type AddressInfo, type Server } from 'node:net';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadModelRoutes } from '../../../src/config/upstreams';
import { assertPortsFree, completePorts, portsFromEnvironment } from '../../../scripts/local/ports';
import { clearStateFolder, openStateFolder } from '../../../scripts/local/state-folder';
import { demoModel, writeUpstreamsFile } from '../../../scripts/local/upstream-choice';
import { useTemporaryFolder } from '../../support/temporary-folder';

const folder = useTemporaryFolder();

describe('ports', () => {
  let server: Server;
  let busyPort: number;

  beforeEach(async () => {
    server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    busyPort = (server.address() as AddressInfo).port;
  });

  afterEach(async () => {
    await new Promise((resolve) => server.close(resolve));
  });

  it('in use are named, with what wants them and what changes them', async () => {
    await expect(assertPortsFree({ temporal: busyPort })).rejects.toThrow(
      `Port ${busyPort} is in use, and Temporal wants it: end the program that listens there, or set LONGHAUL_TEMPORAL_PORT to another port.`,
    );
  });

  it('that are not given are free and differ', async () => {
    const ports = await completePorts({ api: busyPort });
    expect(ports.api).toBe(busyPort);
    expect(new Set(Object.values(ports)).size).toBe(6);
    const { temporal, minio } = ports;
    await expect(assertPortsFree({ temporal, minio })).resolves.toBeUndefined();
  });

  it('are the well-known ones unless the environment names others', () => {
    expect(portsFromEnvironment({ LONGHAUL_MINIO_PORT: '9100', LONGHAUL_API_PORT: '' })).toEqual({
      api: 8700,
      temporal: 7233,
      temporalUi: 8233,
      minio: 9100,
      minioConsole: 9001,
      upstream: 8701,
    });
    expect(() => portsFromEnvironment({ LONGHAUL_API_PORT: 'eighty' })).toThrow(
      'LONGHAUL_API_PORT is eighty, which is no port',
    );
  });
});

describe('a state folder', () => {
  it('keeps its credentials, readable by its owner only', () => {
    const first = openStateFolder(folder());
    first.release();
    const second = openStateFolder(folder());
    expect(second.credentials).toEqual(first.credentials);
    expect(second.credentials.apiKey).toMatch(/^sk-.{32}$/);
    expect(statSync(second.credentialsFile).mode & 0o777).toBe(0o600);
  });

  it('is not shared with a process that is alive', () => {
    openStateFolder(folder());
    expect(() => openStateFolder(folder())).toThrow(`is in use by process ${process.pid}`);
    expect(() => {
      clearStateFolder(folder());
    }).toThrow('stop that one first');
  });

  it('is taken over from a process that is gone', () => {
    writeFileSync(join(folder(), 'lock'), '999999999');
    expect(openStateFolder(folder()).path).toBe(folder());
  });

  it('is made with the folders above it, for its owner only', () => {
    const path = join(folder(), 'a', 'b');
    expect(openStateFolder(path).path).toBe(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('that is a file, or below one, is refused', () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    const check = (path: string, fault: string): void => {
      expect(() => openStateFolder(path)).toThrow(
        `The state folder ${path} cannot be used: ${fault}. It must be a folder that you may write to.`,
      );
    };
    check(file, `EEXIST: file already exists, mkdir '${file}'`);
    const below = join(file, 'state');
    check(below, `ENOTDIR: not a directory, stat '${below}'`);
  });

  it('where nobody can make one is refused', () => {
    expect(() => openStateFolder('/proc/longhaul/state')).toThrow(
      'The state folder /proc/longhaul/state cannot be used: E',
    );
  });

  it.each(['', '{"apiKey": "sk-', 'null', '{"apiKey":"sk-1","minioUser":"","minioPassword":"p"}'])(
    'with broken credentials is refused, and they are not shown: %j',
    (text) => {
      const file = join(folder(), 'credentials.json');
      writeFileSync(file, text);
      expect(() => openStateFolder(folder())).toThrow(
        `The credentials file ${file} is broken: restore it, or delete it to have new credentials made (files and batches stay, clients need the new API key).`,
      );
    },
  );
});

describe('the upstreams file', () => {
  const routesOf = (choice: Parameters<typeof writeUpstreamsFile>[1]): unknown[] => {
    const path = writeUpstreamsFile(join(folder(), 'upstreams.yaml'), choice, 8701);
    const routes = loadModelRoutes(path, { SOME_KEY: 'secret' });
    return [...routes.values()].map(({ model, upstreams: [{ upstreamModel, upstream }] }) => [
      model,
      upstreamModel,
      upstream.baseUrl,
      upstream.apiKey,
    ]);
  };

  it('routes the demo model to the simulated upstream', () => {
    expect(routesOf({ kind: 'simulated' })).toEqual([
      [demoModel, demoModel, 'http://127.0.0.1:8701/v1', undefined],
    ]);
  });

  it('routes models under other names to a server with a key', () => {
    const models = [{ name: 'small', upstreamName: 'org/Small-4B' }, { name: 'large' }];
    const baseUrl = 'http://10.0.0.5:8000/v1';
    expect(routesOf({ kind: 'server', baseUrl, models, apiKeyVariable: 'SOME_KEY' })).toEqual([
      ['small', 'org/Small-4B', baseUrl, 'secret'],
      ['large', 'large', baseUrl, 'secret'],
    ]);
  });
});
