import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { FileRecord } from '../../domain/file';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';
import { fileNotFound } from './file-not-found';

/** Purposes that OpenAI does not hand out again. */
const sealedPurposes: readonly string[] = ['assistants', 'user_data'];

/**
 * Sends the bytes of a file at the pace of the client. A content that breaks off or has another
 * length than its record breaks the connection, so that no client takes it for the whole.
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
  // Express answers HEAD through the route of GET; it needs no bytes.
  const content =
    request.method === 'HEAD' ? undefined : await files.openContent(file.projectId, file.id);
  if (content === undefined && request.method !== 'HEAD') {
    throw fileNotFound(file.id);
  }
  response.set({
    'content-type': 'application/octet-stream',
    'content-length': String(file.bytes),
    'content-disposition': contentDisposition(file.filename),
    'x-content-type-options': 'nosniff',
  });
  if (content === undefined) {
    response.end();
    return;
  }
  // A client that stops reading would otherwise hold the store's stream for ever.
  response.setTimeout(settings.idleTimeoutMs, () => response.destroy());
  try {
    await copy(content, response, file.bytes);
  } catch (error) {
    const clientLeft = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
    logger[clientLeft ? 'debug' : 'warn']({ fileId: file.id, err: error }, 'download broke off');
    response.destroy();
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
