/** The MinIO server on one folder, with its console. */
import type { ProcessSpec } from './managed-process';
import { answersOk } from './http';
import { loopback, type Ports } from './ports';
import { serverBinaries } from './server-binaries';
import type { StateFolder } from './state-folder';

export function minioSpec(state: StateFolder, ports: Ports): ProcessSpec {
  const address = `${loopback}:${ports.minio}`;
  return {
    name: 'MinIO',
    command: serverBinaries().minio,
    args: [
      ...['server', state.minioData, '--address', address],
      ...['--console-address', `${loopback}:${ports.minioConsole}`],
      ...['--certs-dir', state.minioCertificates],
    ],
    env: {
      PATH: process.env['PATH'],
      HOME: state.path,
      MINIO_ROOT_USER: state.credentials.minioUser,
      MINIO_ROOT_PASSWORD: state.credentials.minioPassword,
      MINIO_BROWSER: 'on',
      MINIO_UPDATE: 'off',
    },
    logFile: state.logFile('minio'),
    isReady: () => answersOk(`http://${address}/minio/health/ready`),
    readyTimeoutMs: 60_000,
    graceMs: 10_000,
  };
}
