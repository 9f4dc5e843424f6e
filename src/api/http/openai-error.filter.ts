import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, HttpException, NotFoundException } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Logger } from '../../observability/logger';
import { StoreFault, StoreFull } from '../../storage/object-store';
import { EngineUnavailable } from '../../temporal/batch-runner';
import { ApiError, quoted, toErrorBody } from './api-error';
import { requestIdOf } from './request-id';

/** The clients give up at once when they are told to wait longer than a minute. */
const retryAfterSeconds = '5';
/** Room is made by people: a client that repeats its upload until then helps nobody. */
const retryWhenFull = { 'retry-after': '60', 'x-should-retry': 'false' };

/** Answers whatever was thrown, anywhere, in OpenAI's envelope. */
@Catch()
export class OpenAiErrorFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<Request>();
    const response = http.getResponse<Response>();
    const error = toApiError(thrown, request);
    this.log(error, response);
    if (response.headersSent) {
      // Too late for another answer; a broken connection is the only honest one left.
      response.destroy();
      return;
    }
    response.status(error.status).set(error.headers).json(toErrorBody(error));
  }

  private log(error: ApiError, response: Response): void {
    const details = { requestId: requestIdOf(response), err: error.cause };
    if (error.kind === 'internal') {
      this.logger.error(details, 'request failed');
    } else if (error.kind === 'unavailable') {
      this.logger.warn(details, 'request failed because a server is unavailable');
    } else if (error.kind === 'storageFull') {
      this.logger.error(details, 'request failed because the object store is full');
    }
  }
}

function toApiError(thrown: unknown, request: Request): ApiError {
  if (thrown instanceof ApiError) {
    return thrown;
  }
  if (thrown instanceof StoreFull) {
    return new ApiError(
      'storageFull',
      'The server has no room left to store this. Please try again later, and tell the operator if the error persists.',
      { headers: retryWhenFull, cause: thrown },
    );
  }
  if (thrown instanceof StoreFault || thrown instanceof EngineUnavailable) {
    return new ApiError(
      'unavailable',
      'The server is temporarily unable to process your request. Please try again later.',
      { headers: { 'retry-after': retryAfterSeconds }, cause: thrown },
    );
  }
  if (thrown instanceof NotFoundException) {
    return new ApiError('notFound', `Invalid URL (${methodAndPath(request)})`);
  }
  if (thrown instanceof HttpException && thrown.getStatus() < 500) {
    // Only the router throws these, for paths with a broken percent-encoding.
    return new ApiError('invalidRequest', `Invalid URL (${methodAndPath(request)})`);
  }
  return new ApiError(
    'internal',
    'The server had an error while processing your request. Please retry your request, and tell the operator the value of the x-request-id header if the error persists.',
    { cause: thrown },
  );
}

export function methodAndPath(request: Request): string {
  const path = request.originalUrl.split('?', 1)[0] ?? '';
  return `${request.method} ${quoted(path)}`;
}
