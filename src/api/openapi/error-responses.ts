/** The answers that are errors, made from the table of errors: one for each status. */
import { STATUS_CODES } from 'node:http';
import { errorKinds } from '../http/api-error';
import { headerRefs } from './headers';
import type { JsonSchema, Reference, ResponseObject, Responses } from './types';

/** Headers that errors of a status may carry beside the id of the request. */
const headersOf: Readonly<Record<number, readonly string[]>> = {
  400: ['x-should-retry'],
  401: ['www-authenticate'],
  405: ['allow'],
  409: ['x-should-retry'],
  416: ['content-range'],
  429: ['x-should-retry', 'retry-after'],
  503: ['retry-after'],
  507: ['x-should-retry', 'retry-after'],
};

const kinds = Object.values(errorKinds);
const statuses = [...new Set<number>(kinds.map(({ status }) => status))];

/** By the status as text. */
export function errorResponses(): Readonly<Record<string, ResponseObject>> {
  return Object.fromEntries(statuses.map((status) => [nameOf(status), errorResponse(status)]));
}

/** Refers to {@link errorResponses} from an operation. */
export function errors(...wanted: readonly number[]): Responses {
  return Object.fromEntries(wanted.map((status) => [String(status), errorRef(status)]));
}

/** @throws Error when no error has the status. */
export function errorRef(status: number): Reference {
  if (!statuses.includes(status)) {
    throw new Error(`no error has the status ${status}`);
  }
  return { $ref: `#/components/responses/${nameOf(status)}` };
}

function errorResponse(status: number): ResponseObject {
  const names = ['x-request-id', ...(headersOf[status] ?? [])];
  return {
    description: STATUS_CODES[status] ?? '',
    headers: headerRefs(...names),
    content: { 'application/json': { schema: errorSchema(status) } },
  };
}

function nameOf(status: number): string {
  return (STATUS_CODES[status] ?? '').replaceAll(' ', '');
}

/** All four keys are always there. */
function errorSchema(status: number): JsonSchema {
  const ofStatus = kinds.filter((kind) => kind.status === status);
  const valuesOf = (key: 'type' | 'code'): readonly (string | null)[] => [
    ...new Set<string | null>(ofStatus.map((kind) => kind[key])),
  ];
  return closedObject({
    error: closedObject({
      message: { type: 'string', minLength: 1 },
      type: { enum: valuesOf('type') },
      param: {
        type: ['string', 'null'],
        description: 'Name of the offending parameter, dotted when it is nested.',
      },
      code: { enum: valuesOf('code') },
    }),
  });
}

function closedObject(properties: Readonly<Record<string, JsonSchema>>): JsonSchema {
  const required = Object.keys(properties);
  return { type: 'object', properties, required, additionalProperties: false };
}
