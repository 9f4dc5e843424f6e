import type { IncomingMessage } from 'node:http';
import { ApiError, quoted } from './api-error';

/**
 * Refuses a body of another type, or an encoded one. A body without a type is taken for what the
 * route expects.
 */
export function requireContentType(request: IncomingMessage, expected: string): void {
  const header = request.headers['content-type'] ?? '';
  const mediaType = (header.split(';', 1)[0] ?? '').trim();
  if (mediaType !== '' && mediaType.toLowerCase() !== expected) {
    throw new ApiError(
      'unsupportedContentType',
      `Unsupported content type: '${quoted(mediaType)}'. This API method only accepts '${expected}' requests, but you specified the header 'Content-Type: ${quoted(header)}'. Please try again with a supported content type.`,
    );
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new ApiError(
      'unsupportedContentType',
      `Unsupported content encoding: '${quoted(encoding)}'. Please send the body as it is.`,
    );
  }
}
