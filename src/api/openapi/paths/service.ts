import { headerRefs } from '../headers';
import { ok, openErrors } from '../parts';
import type { Operation, Paths } from '../types';

const tags = ['Service'];

const health: Operation = {
  operationId: 'getHealth',
  tags,
  summary: 'Tell that the process serves requests',
  description: 'Says nothing about the store and the engine.',
  security: [],
  responses: { ...ok('Health', 'It does.'), ...openErrors },
};

const document = (operationId: string): Operation => ({
  operationId,
  tags,
  summary: 'Get this document',
  security: [],
  responses: {
    200: {
      description: 'This document.',
      headers: headerRefs('x-request-id'),
      content: { 'application/json': { schema: { type: 'object' } } },
    },
    ...openErrors,
  },
});

export const servicePaths: Paths = {
  '/healthz': { get: health },
  '/openapi.json': { get: document('getOpenApiDocument') },
  '/v1/openapi.json': { get: document('getOpenApiDocumentBesideTheApi') },
};
