/** The Temporal development server: one process, SQLite, Web UI included. */
import { Connection } from '@temporalio/client';
import { searchAttributes } from '../../src/domain/workflow-contract';
import type { ProcessSpec } from './managed-process';
import { loopback, type Ports } from './ports';
import { serverBinaries } from './server-binaries';
import type { StateFolder } from './state-folder';

export const temporalNamespace = 'default';

/** How the CLI and the API (temporal.api.enums.v1.IndexedValueType) call our attributes' types. */
const attributeTypes = {
  KEYWORD: { cliName: 'Keyword', number: 2 },
  INT: { cliName: 'Int', number: 3 },
  DATETIME: { cliName: 'Datetime', number: 6 },
} as const;

/** As in `scripts/compose/temporal-dynamic-config.yaml`, which has the reasons. */
const dynamicConfig = {
  'matching.enableFairness': true,
  'frontend.keepAliveTime': '5s',
  'frontend.keepAliveTimeout': '4s',
};

const callTimeoutMs = 2_000;

export function temporalSpec(state: StateFolder, ports: Ports): ProcessSpec {
  const options = {
    'db-filename': state.temporalDatabase,
    ip: loopback,
    port: ports.temporal,
    'ui-port': ports.temporalUi,
    'log-level': 'warn',
  };
  return {
    name: 'Temporal',
    command: serverBinaries().temporal,
    args: [
      ...['server', 'start-dev', '--ui-disable-news-fetch'],
      ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
      // Four times the batches a second; a SIGKILL loses nothing with either setting.
      ...['--sqlite-pragma', 'journal_mode=WAL', '--sqlite-pragma', 'synchronous=NORMAL'],
      ...Object.entries(dynamicConfig).flatMap(([name, value]) => [
        '--dynamic-config-value',
        `${name}=${JSON.stringify(value)}`,
      ]),
      ...Object.entries(searchAttributes).flatMap(([name, type]) => [
        '--search-attribute',
        `${name}=${attributeTypes[type].cliName}`,
      ]),
    ],
    env: { PATH: process.env['PATH'], HOME: state.path },
    logFile: state.logFile('temporal'),
    isReady: () => isReady(`${loopback}:${ports.temporal}`),
    readyTimeoutMs: 60_000,
    graceMs: 10_000,
  };
}

/**
 * Registers what the namespace lacks: the server looks at `--search-attribute` only when it makes
 * the namespace, not when it finds one in its database.
 */
export async function ensureSearchAttributes(address: string): Promise<void> {
  await withConnection(address, async (connection) => {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({
      namespace: temporalNamespace,
    });
    const missing = Object.entries(searchAttributes).filter(
      ([name]) => !(name in customAttributes),
    );
    if (missing.length > 0) {
      await connection.operatorService.addSearchAttributes({
        namespace: temporalNamespace,
        searchAttributes: Object.fromEntries(
          missing.map(([name, type]) => [name, attributeTypes[type].number]),
        ),
      });
    }
  });
}

async function isReady(address: string): Promise<boolean> {
  try {
    await withConnection(address, async (connection) => {
      await connection.workflowService.describeNamespace({ namespace: temporalNamespace });
    });
    return true;
  } catch {
    return false;
  }
}

async function withConnection(
  address: string,
  use: (connection: Connection) => Promise<void>,
): Promise<void> {
  const connection = await Connection.connect({ address, connectTimeout: callTimeoutMs });
  try {
    await connection.withDeadline(Date.now() + callTimeoutMs, () => use(connection));
  } finally {
    await connection.close();
  }
}
