/** Log files of the stack's processes. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';

const readBytesMax = 65_536;
const logBytesMax = 16 * 1024 * 1024;

/** Makes the folder, and puts a log aside that has grown large in earlier runs. */
export function prepareLog(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (logSizeBytes(path) > logBytesMax) {
    renameSync(path, `${path}.old`);
  }
}

export function logSizeBytes(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

/** What stands in the log from a byte on; of a long text only the last 64 KiB. */
export function readLogSince(path: string, offset: number): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const start = Math.max(offset, size - readBytesMax);
    const buffer = Buffer.alloc(Math.max(0, size - start));
    return buffer.toString('utf8', 0, readSync(file, buffer, 0, buffer.length, start));
  } finally {
    closeSync(file);
  }
}
