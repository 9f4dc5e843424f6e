/**
 * The API as an OpenAPI 3.1 document. Bodies that clients send are described by the schemas that the
 * handlers check them with, errors by the table of errors; tests compare the rest with the routes
 * and with what they answer.
 */
import { batchRequestSchema, type BatchRequestRules } from '../batches/create-batch.wire';
import { completeRequestSchema, uploadRequestSchema } from '../uploads/upload.wire';
import { errorResponses } from './error-responses';
import { headers } from './headers';
import { toJsonSchemas } from './json-schema';
import { batchPaths } from './paths/batches';
import { filePaths } from './paths/files';
import { modelPaths } from './paths/models';
import { servicePaths } from './paths/service';
import { uploadPaths } from './paths/uploads';
import { answerSchemas } from './schemas.wire';
import type { Components, OpenApiDocument, Parameter, PathItem, Paths } from './types';

export interface DocumentOptions extends BatchRequestRules {
  /** Nobody needs a key. */
  readonly isOpen: boolean;
  /** Where the API answers beside `/v1`. */
  readonly pathPrefixes: readonly string[];
}

export function createOpenApiDocument(options: DocumentOptions): OpenApiDocument {
  const { isOpen, pathPrefixes } = options;
  return {
    openapi: '3.1.1',
    info: {
      title: 'Longhaul',
      version: '1',
      summary: 'A self-hosted, OpenAI-compatible Batch API',
      description: [
        'Every answer has an `x-request-id`. Errors have the form of OpenAI’s.',
        'Routes with GET answer HEAD, too. Another method of a known path is answered with 405 and an `Allow` header, an unknown path with 404.',
        ...pathPrefixes.map((prefix) => `What is below \`/v1\` is below \`${prefix}\`, too.`),
      ].join('\n\n'),
    },
    servers: [{ url: '/', description: 'This server' }],
    security: [...(isOpen ? [{}] : []), { apiKey: [] }],
    tags: [
      { name: 'Files', description: 'Inputs and results.' },
      { name: 'Uploads', description: 'Files that arrive in parts.' },
      { name: 'Batches', description: 'Requests that are answered later.' },
      { name: 'Models', description: 'What the upstreams serve.' },
      { name: 'Service', description: 'This server itself; no key is needed.' },
    ],
    paths: withRequestId({
      ...filePaths,
      ...uploadPaths,
      ...batchPaths(options),
      ...modelPaths,
      ...servicePaths,
    }),
    components: components(options),
  };
}

/** OpenAI API reference, request headers: every request may have a name of the client's. */
const clientRequestId: Parameter = {
  name: 'X-Client-Request-Id',
  in: 'header',
  description: 'A name of the client’s for its request.',
  schema: { type: 'string', pattern: '^[\\x20-\\x7e]{0,512}$' },
};

function withRequestId(paths: Paths): Paths {
  const reference = { $ref: '#/components/parameters/clientRequestId' };
  const withIt = (item: PathItem): PathItem => ({
    ...item,
    parameters: [...(item.parameters ?? []), reference],
  });
  return Object.fromEntries(Object.entries(paths).map(([path, item]) => [path, withIt(item)]));
}

function components(rules: BatchRequestRules): Components {
  return {
    schemas: toJsonSchemas({
      ...answerSchemas,
      CreateBatchRequest: batchRequestSchema(rules),
      CreateUploadRequest: uploadRequestSchema,
      CompleteUploadRequest: completeRequestSchema,
    }),
    responses: errorResponses(),
    parameters: { clientRequestId },
    headers,
    securitySchemes: {
      apiKey: {
        type: 'http',
        scheme: 'bearer',
        description: '`Authorization: Bearer KEY`; the word `Bearer` may be left out.',
      },
    },
  };
}
