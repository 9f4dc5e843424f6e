import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { FileRecord } from '../../domain/file';
import type { ByteRange } from '../../storage/object-store';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';
import { parseRange } from './byte-range';
import { fileNotFound } from './file-not-found';

/** Purposes that OpenAI does not hand out again. */
const sealedPurposes: readonly string[] = ['assistants', 'user_data'];

/**
 * Sends the bytes of a file, or a range of them, at the pace of the client. A content that breaks off
 * or has another length than its record breaks the connection, so that no client takes it for the
 * whole.
 */
export async function sendContent(
  file: FileRecord,
  { request, response }: { readonly request: Request; readonly response: Response },
  { files, settings, logger }: ApiDependencies,
): Promise<void> {
  if (sealedPurposes.includes(file.purpose)) {
    throw new ApiError(
      'invalidRequest',
      `Not allowed to download files of purpose: ${file.purpose}`,
    );
  }
  response.set({ etag: etagOf(file), 'accept-ranges': 'bytes' });
  if (isKnown(file, request)) {
    response.status(304).end();
    return;
  }
  const range = rangeOf(file, request);
  // Express answers HEAD through the route of GET; it needs no bytes.
  const content =
    request.method === 'HEAD' ? undefined : await files.openContent(file.projectId, file.id, range);
  if (content === undefined && request.method !== 'HEAD') {
    throw fileNotFound(file.id);
  }
  describe(response, file, range);
  if (content === undefined) {
    response.end();
    return;
  }
  // A client that stops reading would otherwise hold the store's stream for ever.
  response.setTimeout(settings.idleTimeoutMs, () => response.destroy());
  try {
    await copy(content, response, range?.length ?? file.bytes);
  } catch (error) {
    const clientLeft = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
    logger[clientLeft ? 'debug' : 'warn']({ fileId: file.id, err: error }, 'download broke off');
    response.destroy();
  }
}

/** A file never changes, so its id tells its bytes from all others. */
function etagOf(file: FileRecord): string {
  return `"${file.id}"`;
}

/** Whether the client has these bytes already (RFC 9110 §13.1.2). */
function isKnown(file: FileRecord, request: Request): boolean {
  const tags = (request.get('if-none-match') ?? '').split(',').map((tag) => tag.trim());
  return tags.some((tag) => tag === '*' || tag.replace(/^W\//, '') === etagOf(file));
}

/** @throws ApiError when the range has no byte of the file. */
function rangeOf(file: FileRecord, request: Request): ByteRange | undefined {
  const isCurrent = (request.get('if-range') ?? etagOf(file)) === etagOf(file);
  const range =
    request.method === 'GET' && isCurrent
      ? parseRange(request.get('range'), file.bytes)
      : undefined;
  if (range === 'unsatisfiable') {
    throw new ApiError('rangeNotSatisfiable', `The file has only ${file.bytes} bytes.`, {
      headers: { 'content-range': `bytes */${file.bytes}` },
    });
  }
  return range;
}

function describe(response: Response, file: FileRecord, range: ByteRange | undefined): void {
  response.set({
    'content-type': 'application/octet-stream',
    'content-length': String(range?.length ?? file.bytes),
    'content-disposition': contentDisposition(file.filename),
    'x-content-type-options': 'nosniff',
  });
  if (range !== undefined) {
    const last = range.offset + range.length - 1;
    response.status(206).set('content-range', `bytes ${range.offset}-${last}/${file.bytes}`);
  }
}

async function copy(content: Readable, response: Response, bytes: number): Promise<void> {
  let sent = 0;
  content.on('data', (chunk: Buffer) => {
    sent += chunk.length;
  });
  await pipeline(content, response, { end: false });
  if (sent !== bytes) {
    throw new Error(`the content has ${sent} bytes where its record says ${bytes}`);
  }
  response.end();
}

/**
 * RFC 6266: an ASCII name for old clients, the real one in the encoding of RFC 8187, which has no
 * room for lone surrogates.
 */
function contentDisposition(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const encoded = encodeURIComponent(Buffer.from(filename).toString()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
