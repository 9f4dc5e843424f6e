import type { Request, Response } from 'express';
import { ApiError, toErrorBody } from './api-error';
import { methodAndPath } from './openai-error.filter';
import { newRequestId, requestIdHeader } from './request-id';
import { boundUnreadBody } from './unread-body';

/** Answers a request whose target is no URL, such as `http://[`: no middleware and no route sees it. */
export function answerInvalidTarget(request: Request, response: Response): void {
  const error = new ApiError('invalidRequest', `Invalid URL (${methodAndPath(request)})`);
  boundUnreadBody(request, response);
  response.setHeader(requestIdHeader, newRequestId());
  response.status(error.status).json(toErrorBody(error));
}
