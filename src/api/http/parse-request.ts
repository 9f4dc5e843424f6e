/** Checks what a client sent against a schema, and words the first problem as OpenAI does. */
import type { z } from 'zod';
import { ApiError, quoted } from './api-error';

/** Nested parameters are named by a dotted path, such as `metadata.team`. */
export function parseRequest<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const result = schema.safeParse(given);
  if (result.success) {
    return result.data;
  }
  const [issue] = result.error.issues;
  throw issue === undefined
    ? new ApiError('invalidRequest', 'Invalid request.')
    : toApiError(issue, given);
}

/**
 * An object with a bounded number of properties; `params` tells {@link toApiError} the bound, and the
 * metadata the JSON Schema.
 */
export function withPropertiesMax<T extends z.ZodRecord>(schema: T, propertiesMax: number): T {
  return schema
    .refine((value) => Object.keys(value).length <= propertiesMax, { params: { propertiesMax } })
    .meta({ maxProperties: propertiesMax });
}

function toApiError(issue: z.core.$ZodIssue, given: unknown): ApiError {
  const param = quoted(issue.path.map(String).join('.'));
  const value = valueAt(given, issue.path);
  if (value === undefined) {
    return new ApiError('missingParameter', `Missing required parameter: '${param}'.`, { param });
  }
  if (issue.code === 'invalid_type') {
    return invalidType(param, issue.expected, value);
  }
  if (issue.code === 'invalid_value') {
    return typeof value === 'string'
      ? invalidValue(param, value, issue.values)
      : invalidType(param, 'string', value);
  }
  if (issue.code === 'too_big') {
    return tooBig(param, Number(issue.maximum), value);
  }
  if (issue.code === 'too_small') {
    return tooSmall(param, Number(issue.minimum), value);
  }
  if (issue.code === 'invalid_key') {
    return propertyNameTooLong(issue);
  }
  if (issue.code === 'custom') {
    return tooManyProperties(param, Number(issue.params?.['propertiesMax']), value);
  }
  return new ApiError('invalidValue', `Invalid value for '${param}'.`, { param });
}

function invalidType(param: string, expected: string, value: unknown): ApiError {
  const subject = param === '' ? 'the body' : `'${param}'`;
  return new ApiError(
    'invalidType',
    `Invalid type for ${subject}: expected ${withArticle(expected)}, but got ${typeName(value)} instead.`,
    param === '' ? {} : { param },
  );
}

/** The error of a value outside a fixed set. */
function invalidValue(param: string, value: string, supported: readonly unknown[]): ApiError {
  const list = new Intl.ListFormat('en').format(supported.map((one) => `'${String(one)}'`));
  return new ApiError(
    'invalidValue',
    `Invalid value: '${quoted(value)}'. Supported values are: ${list}.`,
    { param },
  );
}

function tooBig(param: string, maximum: number, value: unknown): ApiError {
  if (Array.isArray(value)) {
    return new ApiError(
      'arrayTooLong',
      `Invalid '${param}': array too long. Expected an array with maximum length ${maximum}, but got an array with length ${value.length} instead.`,
      { param },
    );
  }
  return typeof value === 'string'
    ? new ApiError(
        'stringTooLong',
        `Invalid '${param}': string too long. Expected a string with maximum length ${maximum}, but got a string with length ${value.length} instead.`,
        { param },
      )
    : new ApiError(
        'integerTooLarge',
        `Invalid '${param}': integer above maximum value. Expected a value <= ${maximum}, but got ${String(value)} instead.`,
        { param },
      );
}

function tooSmall(param: string, minimum: number, value: unknown): ApiError {
  if (Array.isArray(value)) {
    return new ApiError(
      'emptyArray',
      `Invalid '${param}': empty array. Expected an array with minimum length ${minimum}, but got an empty array instead.`,
      { param },
    );
  }
  return typeof value === 'string'
    ? new ApiError(
        'emptyString',
        `Invalid '${param}': empty string. Expected a string with minimum length ${minimum}, but got an empty string instead.`,
        { param },
      )
    : new ApiError(
        'integerTooSmall',
        `Invalid '${param}': integer below minimum value. Expected a value >= ${minimum}, but got ${String(value)} instead.`,
        { param },
      );
}

function propertyNameTooLong(issue: z.core.$ZodIssueInvalidKey): ApiError {
  const param = issue.path.slice(0, -1).map(String).join('.');
  const name = String(issue.path.at(-1));
  const [bound] = issue.issues;
  const lengthMax = bound?.code === 'too_big' ? Number(bound.maximum) : 0;
  return new ApiError(
    'propertyNameTooLong',
    `Invalid property name in '${param}': '${quoted(name)}' is too long. Expected a string with maximum length ${lengthMax}, but got a string with length ${name.length} instead.`,
    { param },
  );
}

function tooManyProperties(param: string, propertiesMax: number, value: unknown): ApiError {
  const count = Object.keys(value ?? {}).length;
  return new ApiError(
    'tooManyProperties',
    `Invalid '${param}': too many properties. Expected an object with at most ${propertiesMax} properties, but got an object with ${count} properties instead.`,
    { param },
  );
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<PropertyKey, unknown>)[key]
        : undefined,
    given,
  );
}

function withArticle(expected: string): string {
  switch (expected) {
    case 'int':
    case 'number':
      return 'an integer';
    case 'array':
      return 'an array';
    case 'object':
    case 'record':
      return 'an object';
    default:
      return `a ${expected}`;
  }
}

function typeName(value: unknown): string {
  if (value === null) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  if (typeof value === 'number') {
    return Number.isInteger(value) ? 'an integer' : 'a decimal number';
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
