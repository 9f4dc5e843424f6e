/**
 * The upstreams file: which inference servers there are and which models they serve.
 *
 *     currency: usd                       # optional, of the prices
 *     batch_discount: 0.5                 # optional: what batches are spared, from 0 to 1
 *     upstreams:
 *       - name: gpu-1
 *         base_url: http://10.0.0.5:8000/v1
 *         api_key_env: GPU_1_KEY          # optional: the variable that holds the key
 *         max_in_flight: 64               # optional: a ceiling
 *         request_timeout_seconds: 600    # optional
 *         weight: 1                       # optional: its share, beside others with the same models
 *         endpoints: [/v1/embeddings]     # optional: what its models serve
 *         models:
 *           - meta-llama/Llama-3.1-8B-Instruct
 *           - name: small                 # what clients write in body.model
 *             upstream_name: Qwen/Qwen3-4B  # what the upstream is asked for
 *             endpoints: [/v1/score]      # optional: what this model serves
 *             price: { input_per_million: 0.1, output_per_million: 0.4 }  # optional
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import type { Price } from '../domain/cost';
import { defaultEndpoints, endpoints, type Endpoint } from '../domain/endpoints';
import { ConfigError, type Environment } from './config';

/** Connections that one process can serve well. */
const inFlightMax = 1_024;

const endpointsSchema = z.array(z.enum(endpoints)).min(1);
const amountSchema = z.number().min(0).max(1_000_000);

const priceSchema = z.strictObject({
  input_per_million: amountSchema,
  cached_input_per_million: amountSchema.optional(),
  output_per_million: amountSchema,
});

const modelEntrySchema = z.strictObject({
  name: z.string().min(1),
  upstream_name: z.string().min(1).optional(),
  endpoints: endpointsSchema.optional(),
  price: priceSchema.optional(),
});
type ModelEntry = z.output<typeof modelEntrySchema>;

const modelSchema = z.union([
  z
    .string()
    .min(1)
    .transform((name): ModelEntry => ({ name })),
  modelEntrySchema,
]);

const upstreamSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, dots, hyphens, at most 64'),
  base_url: z.url({ protocol: /^https?$/ }),
  api_key_env: z.string().min(1).optional(),
  max_in_flight: z.number().int().min(1).max(inFlightMax).default(inFlightMax),
  request_timeout_seconds: z.number().positive().max(86_400).default(600),
  weight: z.number().min(0.001).max(1_000).default(1),
  endpoints: endpointsSchema.default([...defaultEndpoints]),
  models: z.array(modelSchema).min(1),
});

const fileSchema = z.strictObject({
  currency: z.string().min(1).max(16).default('usd'),
  batch_discount: z.number().min(0).max(1).default(0.5),
  upstreams: z.array(upstreamSchema).min(1),
});

type UpstreamsFile = z.output<typeof fileSchema>;
type UpstreamEntry = z.output<typeof upstreamSchema>;

export interface UpstreamConfig {
  readonly name: string;
  /** Without a final slash; its path stands in place of `/v1` in an endpoint. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** Requests that one process keeps in flight at most; how many it does keep, it finds out. */
  readonly maxInFlight: number;
  readonly requestTimeoutMs: number;
  /** How many requests it gets for each of an upstream of weight 1, while both have room. */
  readonly weight: number;
}

/** One upstream that serves a model. */
export interface ModelUpstream {
  readonly upstream: UpstreamConfig;
  /** As the upstream calls it. */
  readonly upstreamModel: string;
  /** What the model serves there. */
  readonly endpoints: ReadonlySet<Endpoint>;
}

/** Where the requests for one model go. */
export interface ModelRoute {
  /** As clients write it in `body.model`. */
  readonly model: string;
  /** Each with a name of its own, in the order of the file. */
  readonly upstreams: readonly [ModelUpstream, ...ModelUpstream[]];
  /** What the model serves at one of them at least. */
  readonly endpoints: ReadonlySet<Endpoint>;
  /** Absent where it has none; the same at all of them. */
  readonly price?: Price;
}

/** Routes by model name, in the order of the file. */
export type ModelRoutes = ReadonlyMap<string, ModelRoute>;

/** @throws {@link ConfigError} when the file cannot be read or is not as described above. */
export function loadModelRoutes(path: string, env: Environment): ModelRoutes {
  const routes = new Map<string, ModelRoute>();
  const file = readUpstreams(path);
  for (const entry of file.upstreams) {
    const upstream = toUpstream(entry, env);
    for (const model of entry.models) {
      const route = toRoute(model, { file, entry, upstream });
      const known = routes.get(model.name);
      routes.set(model.name, known === undefined ? route : joined(known, route));
    }
  }
  return routes;
}

/** What the upstreams serve, together. */
export interface Served {
  /** In the order of the file. */
  readonly models: readonly string[];
  /** In the order of {@link endpoints}; at least one. */
  readonly endpoints: readonly Endpoint[];
}

/**
 * What the file's upstreams serve, for a process that needs no upstream's key.
 *
 * @throws {@link ConfigError} when the file cannot be read or is not as described above.
 */
export function loadServed(path: string): Served {
  const entries = readUpstreams(path).upstreams;
  const served = new Set(
    entries.flatMap((entry) => entry.models.flatMap((model) => endpointsOf(model, entry))),
  );
  return {
    models: [...new Set(entries.flatMap(({ models }) => models.map(({ name }) => name)))],
    endpoints: endpoints.filter((endpoint) => served.has(endpoint)),
  };
}

function readUpstreams(path: string): UpstreamsFile {
  const result = fileSchema.safeParse(readYaml(path));
  if (!result.success) {
    throw new ConfigError(
      `The upstreams file ${path} is not usable:\n${z.prettifyError(result.error)}`,
    );
  }
  assertNamesDiffer(result.data.upstreams, path);
  assertPricesAreEqual(result.data, path);
  return result.data;
}

/** Limits and connections are kept by name, and routes by name of upstream and model. */
function assertNamesDiffer(upstreams: readonly UpstreamEntry[], path: string): void {
  const upstream = firstRepeated(upstreams);
  if (upstream !== undefined) {
    throw new ConfigError(
      `The upstream ${upstream} occurs twice in the upstreams file ${path}; give each a name of its own.`,
    );
  }
  for (const { name, models } of upstreams) {
    const model = firstRepeated(models);
    if (model !== undefined) {
      throw new ConfigError(
        `The model ${model} occurs twice at the upstream ${name} in the upstreams file ${path}; give each a name of its own.`,
      );
    }
  }
}

/** Clients are told one price: it cannot depend on which upstream a request happens to go to. */
function assertPricesAreEqual(file: UpstreamsFile, path: string): void {
  const known = new Map<string, ModelEntry>();
  for (const model of file.upstreams.flatMap(({ models }) => models)) {
    const other = known.get(model.name) ?? model;
    if (!isDeepStrictEqual(priceOf(other, file), priceOf(model, file))) {
      throw new ConfigError(
        `The model ${model.name} has different prices in the upstreams file ${path}; give it the same at each upstream.`,
      );
    }
    known.set(model.name, other);
  }
}

function firstRepeated(entries: readonly { readonly name: string }[]): string | undefined {
  const names = entries.map(({ name }) => name);
  return names.find((name, index) => names.indexOf(name) < index);
}

function readYaml(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new ConfigError(`The upstreams file ${path} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Without the excerpt that the parser's message has: a key might stand there. */
function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLParseError)) {
    return String(error);
  }
  const [position] = error.linePos ?? [];
  const where = position === undefined ? '' : ` in line ${position.line}, column ${position.col}`;
  return `it is not YAML (${error.code}${where}).`;
}

function toUpstream(entry: UpstreamEntry, env: Environment): UpstreamConfig {
  const apiKey = entry.api_key_env === undefined ? undefined : env[entry.api_key_env];
  if (entry.api_key_env !== undefined && (apiKey === undefined || apiKey === '')) {
    throw new ConfigError(
      `The upstream ${entry.name} wants its key in the variable ${entry.api_key_env}, which is not set.`,
    );
  }
  return {
    name: entry.name,
    baseUrl: entry.base_url.replace(/\/+$/, ''),
    apiKey,
    maxInFlight: entry.max_in_flight,
    requestTimeoutMs: entry.request_timeout_seconds * 1000,
    weight: entry.weight,
  };
}

function toRoute(
  model: ModelEntry,
  {
    file,
    entry,
    upstream,
  }: {
    readonly file: UpstreamsFile;
    readonly entry: UpstreamEntry;
    readonly upstream: UpstreamConfig;
  },
): ModelRoute {
  const price = priceOf(model, file);
  const served = new Set(endpointsOf(model, entry));
  const upstreamModel = model.upstream_name ?? model.name;
  return {
    model: model.name,
    upstreams: [{ upstream, upstreamModel, endpoints: served }],
    endpoints: served,
    ...(price !== undefined && { price }),
  };
}

function joined(one: ModelRoute, other: ModelRoute): ModelRoute {
  return {
    ...one,
    upstreams: [...one.upstreams, ...other.upstreams],
    endpoints: new Set([...one.endpoints, ...other.endpoints]),
  };
}

function endpointsOf(model: ModelEntry, upstream: UpstreamEntry): readonly Endpoint[] {
  return model.endpoints ?? upstream.endpoints;
}

function priceOf(model: ModelEntry, file: UpstreamsFile): Price | undefined {
  if (model.price === undefined) {
    return undefined;
  }
  const { input_per_million: input, output_per_million: output } = model.price;
  return {
    currency: file.currency,
    batchDiscount: file.batch_discount,
    inputPerMillion: input,
    cachedInputPerMillion: model.price.cached_input_per_million ?? input,
    outputPerMillion: output,
  };
}
