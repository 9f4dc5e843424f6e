/** Compares answers with what the OpenAPI document says of their route and status. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import { createOpenApiDocument } from '../../src/api/openapi/document';
import { errorRef } from '../../src/api/openapi/error-responses';
import type { Header, Operation, Reference, ResponseObject } from '../../src/api/openapi/types';
import { endpoints } from '../../src/domain/endpoints';

interface Exchange {
  readonly method: string;
  /** With or without a query. */
  readonly path: string;
  readonly status: number;
  /** `undefined` for a header that the answer has not. */
  header(name: string): string | undefined;
  /** The body; `undefined` when it is not to be looked at. */
  readonly text: string | undefined;
}

/** Of the default settings: how it describes answers does not depend on them. */
const document = createOpenApiDocument({
  endpoints,
  completionWindows: ['24h'],
  webhookAllowedNetworks: [],
  isOpen: false,
  pathPrefixes: [],
});

/** What a path or a method that does not exist may be answered with. */
const statusesWithoutRoute = [400, 401, 404, 405, 431, 503];

/** @throws Error when the document does not describe the answer. */
export function assertDescribed(exchange: Exchange): void {
  const { method, path, status } = exchange;
  const response = findResponse(exchange);
  const problems =
    response === undefined
      ? ['it has no such answer']
      : [...headerProblems(response, exchange), ...bodyProblems(response, exchange)];
  if (problems.length > 0) {
    throw new Error(
      `${method} ${path} was answered with ${status}, of which the OpenAPI document says otherwise: ${problems.join('; ')}.`,
    );
  }
}

function findResponse({ method, path, status }: Exchange): ResponseObject | undefined {
  const operation = findOperation(method, path);
  if (operation === undefined) {
    return statusesWithoutRoute.includes(status)
      ? resolve<ResponseObject>(errorRef(status))
      : undefined;
  }
  const response = operation.responses[status];
  return response && resolve<ResponseObject>(response);
}

/** HEAD is GET without a body. */
function findOperation(method: string, target: string): Operation | undefined {
  const [path = ''] = target.split('?', 1);
  const [, item] = Object.entries(document.paths).find(([key]) => isAt(key, path)) ?? [];
  const operations = Object.entries(item ?? {}) as [string, Operation][];
  const wanted = method === 'HEAD' ? 'get' : method.toLowerCase();
  return operations.find(([name]) => name === wanted)?.[1];
}

/** As the router does: in any case, with or without a slash at the end; models have slashes. */
function isAt(template: string, path: string): boolean {
  const pattern = template.replace('{model}', '.+').replace(/\{\w+\}/g, '[^/]+');
  return new RegExp(`^${pattern}/?$`, 'i').test(path);
}

function headerProblems({ headers = {} }: ResponseObject, exchange: Exchange): string[] {
  return Object.entries(headers).flatMap(([name, described]) => {
    const { required, schema } = resolve<Header>(described);
    const value = exchange.header(name);
    if (value === undefined) {
      return required === true ? [`the header ${name} is missing`] : [];
    }
    return validatorOf(schema)(value) ? [] : [`the header ${name} is not as described`];
  });
}

function bodyProblems({ content }: ResponseObject, exchange: Exchange): string[] {
  if (content === undefined) {
    return exchange.text === '' || exchange.text === undefined ? [] : ['it has a body'];
  }
  const [type = ''] = (exchange.header('content-type') ?? '').split(';', 1);
  const media = content[type];
  if (media === undefined) {
    return [`the content type '${type}' is not described`];
  }
  if (type !== 'application/json' || exchange.method === 'HEAD' || exchange.text === undefined) {
    return [];
  }
  const validate = validatorOf(media.schema);
  validate(JSON.parse(exchange.text));
  return (validate.errors ?? []).map(
    ({ instancePath, message = '' }) => `${instancePath} ${message}`,
  );
}

/** Every reference of the document is to a component by its name. */
function resolve<T extends object>(value: T | Reference): T {
  if (!('$ref' in value)) {
    return value;
  }
  const [kind = '', name = ''] = value.$ref.replace('#/components/', '').split('/');
  const components = document.components as unknown as Record<string, Record<string, T>>;
  const component = components[kind]?.[name];
  if (component === undefined) {
    throw new Error(`The OpenAPI document has no ${value.$ref}.`);
  }
  return component;
}

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
const validators = new WeakMap<object, ValidateFunction>();

function validatorOf(schema: object): ValidateFunction {
  const known = validators.get(schema);
  if (known !== undefined) {
    return known;
  }
  // The references in it begin at the root of the document.
  const made = ajv.compile({ ...schema, components: document.components });
  validators.set(schema, made);
  return made;
}
