import { z } from 'zod';
import { schemaRef } from './parts';
import type { JsonSchema } from './types';

type Schemas = Readonly<Record<string, z.ZodType>>;

/** What a schema accepts, as JSON Schema. */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  return withoutIdentity(z.toJSONSchema(schema, { io: 'input' }));
}

/** The same of several schemas; where one contains another, it refers to it by its name. */
export function toJsonSchemas(schemas: Schemas): Readonly<Record<string, JsonSchema>> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) {
    registry.add(schema, { id });
  }
  const converted = z.toJSONSchema(registry, { io: 'input', uri: uriOf }).schemas;
  return Object.fromEntries(
    Object.entries(converted).map(([name, schema]) => [name, withoutIdentity(schema)]),
  );
}

function uriOf(name: string): string {
  return String(schemaRef(name)['$ref']);
}

/** The document says the dialect of all, and a schema in it is identified by its place. */
function withoutIdentity(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(
    Object.entries(schema).filter(([key]) => key !== '$schema' && key !== '$id'),
  );
}
