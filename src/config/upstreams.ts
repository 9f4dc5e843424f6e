/**
 * The upstreams file: which inference servers there are and which models they serve.
 *
 *     upstreams:
 *       - name: gpu-1
 *         base_url: http://10.0.0.5:8000/v1
 *         api_key_env: GPU_1_KEY          # optional: the variable that holds the key
 *         max_in_flight: 64               # optional
 *         request_timeout_seconds: 600    # optional
 *         models:
 *           - meta-llama/Llama-3.1-8B-Instruct
 *           - name: small                 # what clients write in body.model
 *             upstream_name: Qwen/Qwen3-4B  # what the upstream is asked for
 */
import { readFileSync } from 'node:fs';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { ConfigError, type Environment } from './config';

const modelSchema = z.union([
  z.string().min(1),
  z.strictObject({ name: z.string().min(1), upstream_name: z.string().min(1).optional() }),
]);

const upstreamSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]{1,64}$/, 'letters, digits, dots, hyphens, at most 64'),
  base_url: z.url({ protocol: /^https?$/ }),
  api_key_env: z.string().min(1).optional(),
  max_in_flight: z.number().int().min(1).max(1_024).default(64),
  request_timeout_seconds: z.number().positive().max(86_400).default(600),
  models: z.array(modelSchema).min(1),
});

const fileSchema = z.strictObject({ upstreams: z.array(upstreamSchema).min(1) });

export interface UpstreamConfig {
  readonly name: string;
  /** Without a final slash; its path stands in place of `/v1` in an endpoint. */
  readonly baseUrl: string;
  readonly apiKey: string | undefined;
  /** Requests that one process keeps in flight at most. */
  readonly maxInFlight: number;
  readonly requestTimeoutMs: number;
}

/** Where the requests for one model go. */
export interface ModelRoute {
  /** As clients write it in `body.model`. */
  readonly model: string;
  /** As the upstream calls it. */
  readonly upstreamModel: string;
  readonly upstream: UpstreamConfig;
}

/** Routes by model name, in the order of the file. */
export type ModelRoutes = ReadonlyMap<string, ModelRoute>;

/** @throws {@link ConfigError} when the file cannot be read or is not as described above. */
export function loadModelRoutes(path: string, env: Environment): ModelRoutes {
  const routes = new Map<string, ModelRoute>();
  for (const entry of readUpstreams(path)) {
    const upstream = toUpstream(entry, env);
    for (const model of entry.models) {
      addRoute(routes, toRoute(model, upstream), path);
    }
  }
  return routes;
}

/**
 * The models that the file names, in its order, for a process that needs no upstream's key.
 *
 * @throws {@link ConfigError} when the file cannot be read or is not as described above.
 */
export function loadModelNames(path: string): readonly string[] {
  return readUpstreams(path).flatMap(({ models }) =>
    models.map((model) => (typeof model === 'string' ? model : model.name)),
  );
}

function readUpstreams(path: string): readonly z.output<typeof upstreamSchema>[] {
  const result = fileSchema.safeParse(readYaml(path));
  if (!result.success) {
    throw new ConfigError(
      `The upstreams file ${path} is not usable:\n${z.prettifyError(result.error)}`,
    );
  }
  assertNamesDiffer(result.data.upstreams, path);
  return result.data.upstreams;
}

/** Limits and connections are kept by name. */
function assertNamesDiffer(upstreams: readonly { readonly name: string }[], path: string): void {
  const names = upstreams.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) {
    throw new ConfigError(
      `The upstream ${repeated} occurs twice in the upstreams file ${path}; give each a name of its own.`,
    );
  }
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

function toUpstream(entry: z.output<typeof upstreamSchema>, env: Environment): UpstreamConfig {
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
  };
}

function toRoute(model: z.output<typeof modelSchema>, upstream: UpstreamConfig): ModelRoute {
  const { name, upstream_name: upstreamName } =
    typeof model === 'string' ? { name: model, upstream_name: undefined } : model;
  return { model: name, upstreamModel: upstreamName ?? name, upstream };
}

function addRoute(routes: Map<string, ModelRoute>, route: ModelRoute, path: string): void {
  if (routes.has(route.model)) {
    throw new ConfigError(
      `The model ${route.model} occurs twice in the upstreams file ${path}; give each model one upstream.`,
    );
  }
  routes.set(route.model, route);
}
