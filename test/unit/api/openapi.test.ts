import 'reflect-metadata';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants';
import { RequestMethod } from '@nestjs/common';
import { Ajv2020 } from 'ajv/dist/2020';
import { controllers } from '../../../src/api/app';
import { createOpenApiDocument } from '../../../src/api/openapi/document';
import type { Operation } from '../../../src/api/openapi/types';
import { assertDescribed } from '../../support/described-answers';
import { send, startApi, type ApiUnderTest } from './api-under-test';

const options = {
  endpoints: ['/v1/embeddings', '/v1/score'],
  completionWindows: ['1h', '24h'],
  webhookAllowedNetworks: [],
  isOpen: false,
  pathPrefixes: ['/v1/openai'],
} as const;
const document = createOpenApiDocument(options);
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([key]) => key !== 'parameters')
    .map(([method, operation]) => ({ method, path, operation: operation as Operation })),
);

let api: ApiUnderTest;
beforeAll(async () => {
  const { endpoints, ...settings } = options;
  api = await startApi({ endpoints, settings });
});
afterAll(async () => {
  await api.close();
});

/** `GET /v1/files/{}`: parameters have other names in code than in documents. */
function routeOf(method: string, path: string): string {
  const template = path.replace(/\{\w+\}|[:*]\w+/g, '{}').replace(/\/+$/, '');
  return `${method.toUpperCase()} /${template.replace(/^\//, '')}`;
}

function routesOfControllers(): string[] {
  return controllers.flatMap((controller) => {
    const prefixes = [Reflect.getMetadata(PATH_METADATA, controller) as string | string[]].flat();
    const { prototype } = controller as { prototype: object };
    return Object.getOwnPropertyNames(prototype).flatMap((name) => {
      const handler = (prototype as Readonly<Record<string, object>>)[name] ?? {};
      const method = Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod | undefined;
      const path = String(Reflect.getMetadata(PATH_METADATA, handler));
      // What answers all methods refuses those that a path does not have.
      return method === undefined || method === RequestMethod.ALL
        ? []
        : prefixes.map((prefix) => routeOf(RequestMethod[method], `${prefix}/${path}`));
    });
  });
}

describe('the document', () => {
  test('has the routes of the controllers, and no others', () => {
    const documented = operations.map(({ method, path }) => routeOf(method, path));
    expect(documented.sort()).toEqual(routesOfControllers().sort());
    expect(documented.length).toBeGreaterThan(10);
  });

  test.each(['', '/v1', '/v1/openai'])('is served without a key below "%s"', async (prefix) => {
    const answer = await fetch(`${api.url}${prefix}/openapi.json`);
    expect([answer.status, await answer.json()]).toEqual([200, document]);
  });

  test('names what this server accepts', () => {
    const schema = document.components.schemas['CreateBatchRequest'];
    expect(schema).toMatchObject({
      required: ['input_file_id', 'endpoint', 'completion_window'],
      properties: {
        endpoint: { enum: ['/v1/embeddings', '/v1/score'] },
        completion_window: { enum: ['1h', '24h'] },
      },
    });
  });

  test('tells what a webhook may be, and where else the API answers', () => {
    const plain = createOpenApiDocument({ ...options, webhookAllowedNetworks: ['10.0.0.0/8'] });
    expect(JSON.stringify(plain)).toContain('"^https?://"');
    expect(JSON.stringify(document)).toContain('"^https://"');
    expect(document.info.description).toContain('`/v1/openai`');
  });

  test('asks for a key, unless the server does not', () => {
    expect(document.security).toEqual([{ apiKey: [] }]);
    const open = createOpenApiDocument({ ...options, isOpen: true });
    expect(open.security).toEqual([{}, { apiKey: [] }]);
  });

  test('has no reference to nothing', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(.*?)"/g)];
    expect(references.length).toBeGreaterThan(50);
    for (const [, path = ''] of references) {
      const [kind = '', name = ''] = path.split('/');
      expect(document.components).toHaveProperty([kind, name]);
    }
  });

  test('names each operation once, and each parameter of a path', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [path, { parameters = [] }] of Object.entries(document.paths)) {
      const inPath = parameters.flatMap((one) =>
        'in' in one && one.in === 'path' ? one.name : [],
      );
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
  });

  test('links to operations that there are', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    const linked = operations.flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap((response) =>
        'links' in response ? Object.values(response.links ?? {}) : [],
      ),
    );
    expect(linked.length).toBeGreaterThan(5);
    expect(ids).toEqual(expect.arrayContaining(linked.map(({ operationId }) => operationId)));
  });

  test('has schemas of JSON Schema 2020-12, which its examples fit', () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const bodies = operations.flatMap(({ operation }) =>
      Object.values(operation.requestBody?.content ?? {}),
    );
    for (const { schema, example } of bodies) {
      const validate = ajv.compile({ ...schema, components: document.components });
      expect([example === undefined || validate(example), validate.errors]).toEqual([true, null]);
    }
    for (const schema of Object.values(document.components.schemas)) {
      expect([ajv.validateSchema(schema), ajv.errors]).toEqual([true, null]);
    }
  });
});

describe.each(Object.keys(document.paths))('%s', (template) => {
  const path = template.replace(/\{\w+\}/, 'unknown');
  const methods = operations
    .filter((operation) => operation.path === template)
    .map(({ method }) => method.toUpperCase());
  const allowed = methods.includes('GET') ? [...methods, 'HEAD'] : methods;
  const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'].filter(
    (method) => !allowed.includes(method),
  );

  test.each(allowed)('answers %s', async (method) => {
    const { status, text } = await send(api.url, { method, path });
    expect(text).not.toContain('Invalid URL');
    expect(status).not.toBe(405);
  });

  test.each(others)('refuses %s', async (method) => {
    const answer = await send(api.url, { method, path });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow?.split(', ').sort()).toEqual([...allowed].sort());
  });
});

describe('an answer that the document does not describe is seen', () => {
  const fine = {
    method: 'GET',
    path: '/v1/models/a/b?c=d',
    status: 200,
    headers: {
      'x-request-id': `req_${'0'.repeat(32)}`,
      'content-type': 'application/json; charset=utf-8',
    } as Record<string, string>,
    body: { id: 'a/b', object: 'model', created: 0, owned_by: 'longhaul' } as unknown,
  };
  const check = ({ headers, body, ...rest }: typeof fine): void => {
    assertDescribed({ ...rest, header: (name) => headers[name], text: JSON.stringify(body) });
  };

  test('and another is not', () => {
    expect(() => {
      check(fine);
    }).not.toThrow();
  });

  test.each([
    ['status', { status: 201 }, /no such answer/],
    ['route', { path: '/v1/nothing' }, /no such answer/],
    ['method', { method: 'DELETE' }, /no such answer/],
    ['id', { headers: { 'content-type': 'application/json' } }, /x-request-id is missing/],
    ['type', { headers: { ...fine.headers, 'content-type': 'text/html' } }, /text\/html/],
    ['member', { body: { ...(fine.body as object), spare: 1 } }, /additional properties/],
    ['body', { status: 404, body: { error: 'Not Found' } }, /\/error must be object/],
  ])('by its %s', (_, change, message) => {
    expect(() => {
      check({ ...fine, ...change });
    }).toThrow(message);
  });
});
