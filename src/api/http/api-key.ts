import { createHash, timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { ApiError } from './api-error';

const challenge = { 'www-authenticate': 'Bearer' };

/** Lets requests with the key pass, before anything of their body is read. */
export function requireApiKey(key: string): RequestHandler {
  const expected = digest(key);
  return (request: Request, _response: Response, next: NextFunction) => {
    const given = keyOf(request);
    if (given === '') {
      throw new ApiError(
        'missingApiKey',
        "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY). The operator of this server can tell you the key.",
        { headers: challenge },
      );
    }
    // Digests have one length, whatever was given, and compare in constant time.
    if (!timingSafeEqual(digest(given), expected)) {
      throw new ApiError(
        'wrongApiKey',
        `Incorrect API key provided: ${masked(given)}. The operator of this server can tell you the key.`,
        { headers: challenge },
      );
    }
    next();
  };
}

function keyOf(request: Request): string {
  const header = request.get('authorization') ?? '';
  return header.replace(/^bearer(\s+|$)/i, '').trim();
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

/** Enough to recognise one's own key, too little to use it. */
function masked(key: string): string {
  const readable = key.replace(/[^\x21-\x7e]/g, '?');
  return readable.length < 16 ? '***' : `${readable.slice(0, 3)}***${readable.slice(-4)}`;
}
