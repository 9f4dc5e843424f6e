/** Ports of the local stack: which there are, their defaults, and what to say when one is taken. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { LocalError } from './local-error';

export const loopback = '127.0.0.1';

interface PortInfo {
  /** The variable that changes it for `npm run demo` and `npm start`. */
  readonly variable: string;
  readonly fallback: number;
  readonly owner: string;
}

export const portInfo = {
  api: { variable: 'LONGHAUL_API_PORT', fallback: 8700, owner: 'the API' },
  temporal: { variable: 'LONGHAUL_TEMPORAL_PORT', fallback: 7233, owner: 'Temporal' },
  temporalUi: {
    variable: 'LONGHAUL_TEMPORAL_UI_PORT',
    fallback: 8233,
    owner: "Temporal's Web UI",
  },
  minio: { variable: 'LONGHAUL_MINIO_PORT', fallback: 9000, owner: 'MinIO' },
  minioConsole: {
    variable: 'LONGHAUL_MINIO_CONSOLE_PORT',
    fallback: 9001,
    owner: "MinIO's console",
  },
  upstream: {
    variable: 'LONGHAUL_SIMULATOR_PORT',
    fallback: 8701,
    owner: 'the simulated upstream',
  },
} as const satisfies Record<string, PortInfo>;

export type PortName = keyof typeof portInfo;
export type Ports = Readonly<Record<PortName, number>>;

const portNames = Object.keys(portInfo) as PortName[];

/**
 * The ports that `npm start` uses: the well-known ones, or what the environment says.
 *
 * @throws {@link LocalError} when a variable holds no port.
 */
export function portsFromEnvironment(env: Readonly<Record<string, string | undefined>>): Ports {
  return fillPorts((name) => {
    const { variable, fallback } = portInfo[name];
    const text = env[variable] ?? '';
    const port = text === '' ? fallback : Number(text);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) {
      throw new LocalError(`${variable} is ${text}, which is no port: set it to 1 to 65535.`);
    }
    return port;
  });
}

/** Ports that are free now, for those that are not given. */
export async function completePorts(given: Partial<Ports>): Promise<Ports> {
  const found = new Map<PortName, number>();
  for (const name of portNames) {
    found.set(name, given[name] ?? (await freePort([...found.values()])));
  }
  return fillPorts((name) => found.get(name) ?? 0);
}

/** Names of those ports that some program listens on. */
export async function busyPorts(ports: Partial<Ports>): Promise<PortName[]> {
  const isBusy = await Promise.all(
    portNames.map(async (name) => {
      const port = ports[name];
      return port !== undefined && !(await isFree(port));
    }),
  );
  return portNames.filter((_, index) => isBusy[index] === true);
}

/** @throws {@link LocalError} that names the port, what wants it, and how to change it. */
export async function assertPortsFree(ports: Partial<Ports>): Promise<void> {
  const [name] = await busyPorts(ports);
  if (name !== undefined) {
    const { variable, owner } = portInfo[name];
    throw new LocalError(
      `Port ${String(ports[name])} is in use, and ${owner} wants it: end the program that listens there, or set ${variable} to another port.`,
    );
  }
}

/**
 * A port that nothing listens on. Below the range from which the system takes the near end of
 * outgoing connections, so that a killed server finds its port free when it is started again.
 */
export async function freePort(except: readonly number[] = []): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (!except.includes(port) && (await isFree(port))) {
      return port;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, loopback, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}

function fillPorts(portOf: (name: PortName) => number): Ports {
  return Object.fromEntries(portNames.map((name) => [name, portOf(name)])) as Record<
    PortName,
    number
  >;
}
