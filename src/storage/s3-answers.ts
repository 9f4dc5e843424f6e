/** What the answers of S3 mean, as the `minio` client throws them. */
import type { IncomingMessage } from 'node:http';
import { StoreRefusal } from './store-retry';

/** There is no such object. */
export const absentCodes = ['NoSuchKey', 'NotFound'];

/** The call's result; `undefined` when the store refuses it with one of the codes. */
export async function unless<T>(
  codes: readonly string[],
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call();
  } catch (error) {
    const fault = fromMinio(error);
    if (fault instanceof StoreRefusal && codes.includes(fault.code)) {
      return undefined;
    }
    throw fault;
  }
}

/** Answers of S3 and MinIO that a repetition may not get. */
const momentaryCodes: ReadonlySet<string> = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'InternalError',
  'OperationAborted',
  // Clocks are set right again, sooner or later.
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'ServiceUnavailable',
  'SlowDown',
  'SlowDownRead',
  'SlowDownWrite',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
  'XMinioServerNotInitialized',
]);

/**
 * Of the client's errors only code and message are kept, as S3 puts the access key and the string
 * to sign beside them. An error inside a 200 answer is thrown by the client as a plain object.
 */
export function fromMinio(error: unknown): unknown {
  const answer = isS3Error(error) ? error : embeddedAnswer(error);
  if (answer === undefined) {
    return error;
  }
  const code = textOf(answer.code);
  const message = textOf(answer.message);
  return code === '' || momentaryCodes.has(code)
    ? new Error(`${code}: ${message}`)
    : new StoreRefusal(code, message);
}

/** The failure that the body of a 200 answer tells of; S3 says 200 before it has strung parts together. */
export function failureIn(xml: string): unknown {
  const text = (name: string): string =>
    new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? '';
  return /<Error[ >]/.test(xml)
    ? fromMinio({ Code: text('Code'), Message: text('Message') })
    : undefined;
}

interface Answer {
  readonly code?: unknown;
  readonly message?: unknown;
}

function isS3Error(error: unknown): error is Error & Answer {
  return error instanceof Error && error.name === 'S3Error';
}

function embeddedAnswer(thrown: unknown): Answer | undefined {
  if (thrown instanceof Error || typeof thrown !== 'object' || thrown === null) {
    return undefined;
  }
  const { Code: code, Message: message } = thrown as Readonly<Record<string, unknown>>;
  return { code, message };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function etagOf(response: Pick<IncomingMessage, 'headers'>): string {
  const { etag } = response.headers;
  if (etag === undefined) {
    throw new Error('The store sent no ETag');
  }
  return etag.replace(/^"|"$/g, '');
}

export function contentLength(response: IncomingMessage): number {
  return Number(response.headers['content-length']);
}

export async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
