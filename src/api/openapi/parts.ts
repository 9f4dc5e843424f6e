/** Pieces that operations are put together from. */
import { headerRefs } from './headers';
import { errors } from './error-responses';
import type { JsonSchema, Link, MediaType, Operation, Parameter, Responses } from './types';

export function schemaRef(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

/** Success, creations included, is 200. */
export function ok(
  schemaName: string,
  description: string,
  links?: Readonly<Record<string, Link>>,
): Responses {
  return {
    200: {
      description,
      headers: headerRefs('x-request-id'),
      content: { 'application/json': { schema: schemaRef(schemaName) } },
      ...(links !== undefined && { links }),
    },
  };
}

/** What every route answers to a request that is no good by itself. */
export const openErrors = errors(400, 431, 500);
/** The same for a route that needs a key, and with it the store. */
export const commonErrors = { ...openErrors, ...errors(401, 503) };
/** The same for a route that puts something into the store. */
export const writeErrors = { ...commonErrors, ...errors(507) };
/** A body that does not arrive, or not as what the route takes. */
export const formErrors = { ...writeErrors, ...errors(408, 415) };
export const jsonErrors = { ...formErrors, ...errors(413) };

export function pathParameter(name: string, description: string): Parameter {
  return {
    name,
    in: 'path',
    required: true,
    description,
    schema: { type: 'string', minLength: 1 },
  };
}

export function limitParameter(limits: {
  readonly limitDefault: number;
  readonly limitMax: number;
}): Parameter {
  return {
    name: 'limit',
    in: 'query',
    description: 'Items on the page at most; 0 means the default.',
    allowEmptyValue: true,
    schema: {
      type: 'integer',
      minimum: 0,
      maximum: limits.limitMax,
      default: limits.limitDefault,
    },
  };
}

export const afterParameter: Parameter = {
  name: 'after',
  in: 'query',
  description: 'Id of the last item of the page before; one that does not exist has no next page.',
  schema: { type: 'string' },
};

type RequestBody = NonNullable<Operation['requestBody']>;

export function jsonBody(schemaName: string, example: unknown): RequestBody {
  return { required: true, content: { 'application/json': media(schemaName, example) } };
}

export function formBody(schema: JsonSchema): RequestBody {
  return { required: true, content: { 'multipart/form-data': { schema } } };
}

/** A file in a form. */
export const binary: JsonSchema = { type: 'string', format: 'binary' };

function media(schemaName: string, example: unknown): MediaType {
  return { schema: schemaRef(schemaName), example };
}
