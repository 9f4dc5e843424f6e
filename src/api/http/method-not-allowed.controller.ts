import { All, Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import { ApiError } from './api-error';
import { methodAndPath } from './openai-error.filter';

/** Catches known paths with a method that they do not have; registered behind the others. */
@Controller()
export class MethodNotAllowedController {
  @All(['v1/files', 'v1/batches'])
  collection(@Req() request: Request): never {
    throw methodNotAllowed(request, 'GET, HEAD, POST');
  }

  @All('v1/files/:fileId')
  file(@Req() request: Request): never {
    throw methodNotAllowed(request, 'GET, HEAD, DELETE');
  }

  @All([
    'v1/batches/:batchId/cancel',
    'v1/uploads',
    'v1/uploads/:uploadId/parts',
    'v1/uploads/:uploadId/complete',
    'v1/uploads/:uploadId/cancel',
  ])
  action(@Req() request: Request): never {
    throw methodNotAllowed(request, 'POST');
  }

  @All([
    'healthz',
    'openapi.json',
    'v1/openapi.json',
    'v1/files/:fileId/content',
    'v1/batches/:batchId',
    'v1/models',
    'v1/models/*model',
  ])
  readOnly(@Req() request: Request): never {
    throw methodNotAllowed(request, 'GET, HEAD');
  }
}

function methodNotAllowed(request: Request, allow: string): ApiError {
  return new ApiError('methodNotAllowed', `Invalid method for URL (${methodAndPath(request)})`, {
    headers: { allow },
  });
}
