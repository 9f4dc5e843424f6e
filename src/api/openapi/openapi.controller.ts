import { Controller, Get, Inject } from '@nestjs/common';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { createOpenApiDocument } from './document';
import type { OpenApiDocument } from './types';

/** Below `/v1`, too, for who knows the base URL of a client only. */
@Controller(['openapi.json', 'v1/openapi.json'])
export class OpenApiController {
  private readonly document: OpenApiDocument;

  constructor(@Inject(API_DEPENDENCIES) { endpoints, settings }: ApiDependencies) {
    this.document = createOpenApiDocument({ endpoints, ...settings });
  }

  @Get()
  get(): OpenApiDocument {
    return this.document;
  }
}
