/** The real curl, for what the official clients never send. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Stack } from '../../../scripts/local/stack';

export interface CurlAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly json: () => unknown;
}

export type Curl = (path: string, ...args: readonly string[]) => Promise<CurlAnswer>;

const run = promisify(execFile);
const answerBytesMax = 64 * 1024 * 1024;

/** Calls paths below the base URL of a stack with its key. */
export function curlOf(stack: Pick<Stack, 'baseUrl' | 'apiKey'>): Curl {
  return async (path, ...args) =>
    await curl(`${stack.baseUrl}${path}`, '-H', `Authorization: Bearer ${stack.apiKey}`, ...args);
}

/** @throws when curl gets no answer within a minute, or is not there. */
export async function curl(url: string, ...args: readonly string[]): Promise<CurlAnswer> {
  const quiet = ['--silent', '--show-error', '--include', '--max-time', '60'];
  // No settings of whoever runs the tests, and no pattern matching in URLs.
  const all = ['-q', '--globoff', ...quiet, ...args, url];
  const { stdout } = await run('curl', all, {
    encoding: 'buffer',
    maxBuffer: answerBytesMax,
  }).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw isMissing ? new Error('There is no curl on this machine: install it.') : error;
  });
  return parseAnswer(stdout);
}

export const withJson = (body: unknown): string[] => [
  '-H',
  'Content-Type: application/json',
  '--data',
  JSON.stringify(body),
];

/** Drops the interim answers (`100 Continue`) before the last one. */
function parseAnswer(bytes: Buffer): CurlAnswer {
  const headEnd = bytes.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const body = bytes.subarray(headEnd + 4);
  const status = Number(statusLine.split(' ')[1]);
  if (status < 200) {
    return parseAnswer(body);
  }
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return {
    status,
    headers: Object.fromEntries(headers),
    body,
    json: () => JSON.parse(body.toString('utf8')) as unknown,
  };
}
