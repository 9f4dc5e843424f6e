import { randomBytes } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { ApiError } from './api-error';

export const requestIdHeader = 'x-request-id';

export function newRequestId(): string {
  return `req_${randomBytes(16).toString('hex')}`;
}

export function requestIdOf(response: Response): string {
  return String(response.getHeader(requestIdHeader));
}

/** Names the answer, and checks the name that the client may have given to its request. */
export function identifyRequest(request: Request, response: Response, next: NextFunction): void {
  response.setHeader(requestIdHeader, newRequestId());
  // OpenAI API reference, request headers: ASCII, at most 512 characters.
  if (!/^[\x20-\x7e]{0,512}$/.test(request.get('x-client-request-id') ?? '')) {
    throw new ApiError(
      'invalidRequest',
      'Invalid X-Client-Request-Id header: it must consist of at most 512 ASCII characters.',
    );
  }
  next();
}
