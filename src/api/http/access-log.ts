import type { NextFunction, Request, RequestHandler, Response } from 'express';
import type { Logger } from '../../observability/logger';
import { requestIdOf } from './request-id';

/** One line per answer; paths hold ids only, and query strings are left out. */
export function logAnswers(logger: Logger): RequestHandler {
  return (request: Request, response: Response, next: NextFunction) => {
    const startedMs = performance.now();
    response.once('close', () => {
      const details = {
        requestId: requestIdOf(response),
        method: request.method,
        path: request.path.slice(0, 200),
        status: response.statusCode,
        complete: response.writableFinished,
        durationMs: Math.round(performance.now() - startedMs),
      };
      logger.debug(details, 'request answered');
    });
    next();
  };
}
