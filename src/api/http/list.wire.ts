/** Query and answer of the two paged lists. */
import { z } from 'zod';
import { ApiError } from './api-error';
import { parseRequest } from './parse-request';

export interface ListLimits {
  readonly limitDefault: number;
  readonly limitMax: number;
}

export interface ListQuery {
  /** The page begins behind this id. */
  readonly after: string | undefined;
  readonly limit: number;
}

/** A query string as express parses it: a name that is repeated has an array. */
export type QueryString = Readonly<Record<string, unknown>>;

export function parseListQuery(query: QueryString, limits: ListLimits): ListQuery {
  const schema = z.object({
    limit: z.number().int().min(1).max(limits.limitMax).default(limits.limitDefault),
  });
  const limit = integerOf(single(query, 'limit'));
  return {
    after: single(query, 'after'),
    // Zero is accepted on OpenAI's lists, and means the default.
    ...parseRequest(schema, { limit: limit === 0 ? undefined : limit }),
  };
}

/** The value of a query parameter; an empty one counts as absent. */
export function single(query: QueryString, name: string): string | undefined {
  const value = query[name];
  if (Array.isArray(value)) {
    throw new ApiError(
      'duplicateParameter',
      `Duplicate parameter: '${name}'. You may only provide this parameter once.`,
      { param: name },
    );
  }
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The number that a text stands for; other texts stay as they are, for the schema to refuse. */
export function integerOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

export interface ListWire<T> {
  readonly object: 'list';
  readonly data: readonly T[];
  readonly first_id: string | null;
  readonly last_id: string | null;
  readonly has_more: boolean;
}

export function toListWire<T extends { readonly id: string }>(page: {
  readonly items: readonly T[];
  readonly hasMore: boolean;
}): ListWire<T> {
  return {
    object: 'list',
    data: page.items,
    first_id: page.items[0]?.id ?? null,
    last_id: page.items.at(-1)?.id ?? null,
    has_more: page.hasMore,
  };
}
