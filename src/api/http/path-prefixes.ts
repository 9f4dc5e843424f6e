import type { NextFunction, Request, RequestHandler, Response } from 'express';

const ownPrefix = '/v1';

/**
 * Lets the API answer below other prefixes as it does below `/v1`, for clients of services that have
 * it there. Slashes that a base URL with a final one doubles are overlooked, before the prefix and
 * right behind it; elsewhere they may belong to the name of a model.
 *
 * `originalUrl` stays as the client sent it: errors name that.
 */
export function acceptPrefixes(prefixes: readonly string[]): RequestHandler {
  // The longest first: one may begin with another.
  const known = [...prefixes, ownPrefix].sort((a, b) => b.length - a.length);
  return (request: Request, _response: Response, next: NextFunction) => {
    request.url = rewritten(request.url, known);
    next();
  };
}

function rewritten(url: string, prefixes: readonly string[]): string {
  const path = url.replace(/^\/+/, '/');
  const prefix = prefixes.find(
    (one) => path.startsWith(one) && /^(\/|\?|$)/.test(path.slice(one.length)),
  );
  return prefix === undefined
    ? url
    : `${ownPrefix}${path.slice(prefix.length).replace(/^\/+/, '/')}`;
}
