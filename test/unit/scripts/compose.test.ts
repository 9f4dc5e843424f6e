/** What can be said about the compose file without a Docker engine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { settings } from '../../../src/config/config';
import { loadModelRoutes } from '../../../src/config/upstreams';
import { searchAttributes } from '../../../src/domain/workflow-contract';

const root = join(__dirname, '..', '..', '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly target: string };
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly (string | Readonly<Record<string, unknown>>)[];
  readonly networks: readonly string[];
  readonly restart?: string;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, unknown>>;
};
const services = Object.entries(compose.services);
const environments = services.flatMap(([name, { environment = {} }]) =>
  Object.entries(environment).map(([variable, value]) => [name, variable, String(value)] as const),
);
const fixedByCompose: Readonly<Record<string, string>> = {
  LONGHAUL_TEMPORAL_ADDRESS: 'temporal:7233',
  LONGHAUL_S3_ENDPOINT: 'http://minio:9000',
  LONGHAUL_UPSTREAMS_FILE: '/etc/longhaul/upstreams.yaml',
  LONGHAUL_API_HOST: '0.0.0.0',
  LONGHAUL_API_PORT: '8700',
};

it('publishes only the API beyond loopback', () => {
  const open = services.filter(([, { ports = [] }]) =>
    ports.some((port) => !port.startsWith('127.0.0.1:')),
  );
  expect(open.map(([name]) => name)).toEqual(['api']);
});

it('holds no credential: each comes from a variable that must be set', () => {
  const credentials = environments.filter(([, variable]) =>
    /KEY|PASSWORD|PWD|SECRET|ROOT_USER/.test(variable),
  );
  expect(credentials.map(([name, variable]) => `${name} ${variable}`)).toEqual([
    'api LONGHAUL_S3_ACCESS_KEY',
    'api LONGHAUL_S3_SECRET_KEY',
    'api LONGHAUL_API_KEY',
    'worker LONGHAUL_S3_ACCESS_KEY',
    'worker LONGHAUL_S3_SECRET_KEY',
    'minio MINIO_ROOT_USER',
    'minio MINIO_ROOT_PASSWORD',
    'temporal POSTGRES_PWD',
    'temporal-schema SQL_PASSWORD',
    'postgres POSTGRES_PASSWORD',
  ]);
  for (const [, , value] of credentials) {
    expect(value).toMatch(/^\$\{[A-Z0-9_]+:\?[^}]*set it in \.env[^}]*\}$/);
  }
});

it('pins every image, and builds its own from the Dockerfile', () => {
  const dockerfile = read('Dockerfile');
  const bases = [...dockerfile.matchAll(/^FROM (\S+) AS (\S+)$/gm)];
  const stages = bases.map(([, , stage]) => stage);
  for (const [, base] of bases) {
    expect(base).toMatch(/^[\w-]+:\d+(\.\d+)*(-[\w-]+)?$/);
  }
  for (const [, { image, build }] of services) {
    expect(image).toMatch(build === undefined ? /^[\w/-]+:\d+\.\d+(\.\d+)?(-\w+)?$/ : /:local$/);
    expect(build === undefined || stages.includes(build.target)).toBe(true);
  }
});

it('runs the same Temporal and Web UI as the one that is built for development', () => {
  expect(read('tools/temporal/go.mod')).toContain('go.temporal.io/server v1.31.2');
  expect(read('tools/temporal/go.mod')).toContain('github.com/temporalio/ui-server/v2 v2.50.1');
  expect(compose.services['temporal']?.image).toBe('temporalio/server:1.31.2');
  expect(compose.services['temporal-ui']?.image).toBe('temporalio/ui:2.50.1');
});

it('passes every setting to API or worker, and no other', () => {
  const passed = environments.filter(([, variable]) => variable.startsWith('LONGHAUL_'));
  expect(new Set(passed.map(([, variable]) => variable))).toEqual(new Set(Object.keys(settings)));
  for (const [, variable, value] of passed) {
    const expected = new RegExp(`^\\$\\{${variable}:[-?]`);
    expect(value).toMatch(fixedByCompose[variable] ?? expected);
  }
});

it('waits for health only where there is a health check, and restarts everything', () => {
  for (const [, { depends_on: dependsOn = {}, restart }] of services) {
    expect(restart).toMatch(/^(unless-stopped|on-failure:5)$/);
    for (const [name, { condition }] of Object.entries(dependsOn)) {
      const awaited = compose.services[name];
      expect(awaited).toBeDefined();
      expect(condition).toBe(
        awaited?.healthcheck === undefined ? 'service_completed_successfully' : 'service_healthy',
      );
    }
  }
});

it('names volumes, networks, files and programs that exist', () => {
  for (const [, { volumes = [], networks, command, entrypoint }] of services) {
    expect(Object.keys(compose.networks)).toEqual(expect.arrayContaining([...networks]));
    for (const volume of volumes.filter((one) => typeof one === 'string')) {
      const [source = ''] = volume.split(':');
      expect(
        source.startsWith('./') ? existsSync(join(root, source)) : source in compose.volumes,
      ).toBe(true);
    }
    const script = entrypoint?.[1]?.replace('/scripts/', 'scripts/compose/');
    const program = command?.[1]?.replace('dist/', '').replace('.js', '.ts');
    expect(
      [script, program].every((path) => path === undefined || existsSync(join(root, path))),
    ).toBe(true);
  }
});

it('registers the search attributes that the workflows set', () => {
  const typeNames = { KEYWORD: 'Keyword', INT: 'Int', DATETIME: 'Datetime' };
  const script = read('scripts/compose/temporal-namespace.sh');
  const registered = [...script.matchAll(/^(Batch\w+) (\w+)$/gm)].map(([, name, type]) => [
    name,
    type,
  ]);
  expect(registered).toEqual(
    Object.entries(searchAttributes).map(([name, type]) => [name, typeNames[type]]),
  );
});

describe('.env.example', () => {
  const lines = [...read('.env.example').matchAll(/^(# )?([A-Z][A-Z0-9_]+)=(.*)$/gm)];
  const given = new Map(lines.map(([, , variable, value]) => [variable, value]));

  it('lists every setting, and every variable of the compose file', () => {
    const used = [...read('docker-compose.yml').matchAll(/\$\{([A-Z0-9_]+):/g)].map(
      ([, name]) => name,
    );
    expect(new Set(given.keys())).toEqual(new Set([...Object.keys(settings), ...used]));
  });

  it('shows each default as it is', () => {
    const defaults = Object.entries(settings).flatMap(([variable, schema]) => {
      const fallback = schema.safeParse(undefined);
      return fallback.success ? [[variable, [fallback.data].flat().join(',')]] : [];
    });
    expect(defaults.length).toBeGreaterThan(10);
    expect(defaults.map(([variable = '']) => [variable, given.get(variable)])).toEqual(defaults);
  });

  it('gives no secret', () => {
    const active = lines.filter(([, comment]) => comment === undefined);
    expect(active.map(([, , variable, value]) => `${variable ?? ''}=${value ?? ''}`)).toEqual([
      'LONGHAUL_API_KEY=',
      'LONGHAUL_S3_ACCESS_KEY=',
      'LONGHAUL_S3_SECRET_KEY=',
      'POSTGRES_PASSWORD=',
    ]);
  });
});

it('the example of an upstreams file is a good one', () => {
  const routes = loadModelRoutes(join(root, 'examples', 'upstreams.yaml'), {});
  expect([...routes.keys()]).toEqual(['meta-llama/Llama-3.1-8B-Instruct', 'small']);
});
