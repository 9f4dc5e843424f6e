import { Controller, Get, Inject } from '@nestjs/common';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { createOpenApiDocument } from './document';
import type { OpenApiDocument } from './types';

@Controller('openapi.json')
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
