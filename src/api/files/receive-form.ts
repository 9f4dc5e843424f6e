/**
 * Reads a multipart form with one file in it, in constant memory.
 *
 * The file goes to its destination while it arrives; the parts may come in any order, with or
 * without a Content-Length. What is slower, client or destination, sets the pace.
 */
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import busboy from 'busboy';
import { ApiError } from '../http/api-error';
import { requireContentType } from '../http/content-type';

/** An upload has a file and a few short fields; whoever sends more means something else. */
const limits = { files: 1, fields: 20, fieldNameSize: 100, fieldSize: 1_024, headerPairs: 50 };

interface FormOptions<T> {
  /** Name of the part that is the file; others are dropped. */
  readonly fileField: string;
  /** The form fails when the client sends nothing for this long. */
  readonly idleTimeoutMs: number;
  /** Takes the content of the file; must read it to its end or fail. */
  storeFile(content: Readable, filename: string | undefined): Promise<T>;
}

export interface ReceivedForm<T> {
  readonly fields: ReadonlyMap<string, string>;
  /** What `storeFile` returned; `undefined` when the form has no file. */
  readonly file: T | undefined;
}

/** When it throws, `storeFile` has ended too: its content broke off with an error. */
export async function receiveForm<T>(
  request: IncomingMessage,
  options: FormOptions<T>,
): Promise<ReceivedForm<T>> {
  requireContentType(request, 'multipart/form-data');
  const parser = createParser(request);
  const fields = new Map<string, string>();
  let storing: Promise<T> | undefined;
  const received = new Promise<void>((resolve, reject) => {
    parser.on('field', (name, value, info) => {
      if (info.nameTruncated || info.valueTruncated) {
        reject(malformed('a field is too long'));
      }
      fields.set(name, value);
    });
    parser.on('file', (name, content, info) => {
      if (name === options.fileField) {
        storing = options.storeFile(content, info.filename);
        storing.catch(reject);
      } else {
        // An error without a listener would end the process.
        content.on('error', () => undefined).resume();
      }
    });
    parser.on('filesLimit', () => {
      reject(malformed('it has more than one file'));
    });
    parser.on('fieldsLimit', () => {
      reject(malformed('it has too many fields'));
    });
    parser.on('error', (error) => {
      reject(malformed(error instanceof Error ? error.message : 'unreadable'));
    });
    parser.on('close', resolve);
    failWhenClientStops(request, parser, { idleTimeoutMs: options.idleTimeoutMs, reject });
  });
  request.pipe(parser);
  try {
    await received;
    return { fields, file: await storing };
  } catch (error) {
    request.unpipe(parser);
    parser.destroy(error as Error);
    await Promise.allSettled([storing]);
    throw error;
  }
}

function createParser(request: IncomingMessage): busboy.Busboy {
  try {
    return busboy({ headers: request.headers, defParamCharset: 'utf8', limits });
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : 'unreadable');
  }
}

function failWhenClientStops(
  request: IncomingMessage,
  parser: busboy.Busboy,
  { idleTimeoutMs, reject }: { idleTimeoutMs: number; reject: (error: ApiError) => void },
): void {
  const idle = setTimeout(() => {
    if (parser.writableNeedDrain) {
      // The client waits for us, not we for the client.
      idle.refresh();
    } else {
      reject(new ApiError('requestTimeout', 'Your upload stopped for too long.'));
    }
  }, idleTimeoutMs);
  request.on('data', () => idle.refresh());
  request.on('error', () => {
    reject(malformed('the connection broke off'));
  });
  request.on('close', () => {
    if (!request.readableEnded) {
      reject(malformed('the connection broke off'));
    }
  });
  request.on('end', () => {
    clearTimeout(idle);
  });
  parser.on('close', () => {
    clearTimeout(idle);
  });
}

function malformed(reason: string): ApiError {
  return new ApiError(
    'invalidRequest',
    `We could not parse the multipart form of your request: ${reason}.`,
  );
}
