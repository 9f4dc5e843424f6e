/** Finds out what an inference server of the user's serves. */
import { LocalError } from './local-error';

/** The variable with the key of the server that `--upstream` names. */
export const upstreamKeyVariable = 'LONGHAUL_UPSTREAM_API_KEY';

export interface DiscoveredUpstream {
  /** With the path that stands for `/v1`, without a final slash. */
  readonly baseUrl: string;
  /** Empty when the server does not list them. */
  readonly models: readonly string[];
}

const timeoutMs = 10_000;

/**
 * Asks a server for its models. Its URL may be given with or without `/v1`.
 *
 * @throws {@link LocalError} when nothing there answers as an inference server.
 */
export async function discoverUpstream(url: string): Promise<DiscoveredUpstream> {
  const given = parseUrl(url);
  const candidates = given.endsWith('/v1') ? [given] : [`${given}/v1`, given];
  let fault = '';
  for (const baseUrl of candidates) {
    const answer = await askForModels(baseUrl);
    if (typeof answer !== 'string') {
      return { baseUrl, models: answer };
    }
    fault ||= answer;
  }
  throw new LocalError(
    `No inference server answers at ${url}: ${fault}. Check the address, and that the server is up.`,
  );
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new LocalError(`${text} is no URL of an upstream: write it as http://host:port/v1.`);
  }
  return text.replace(/\/+$/, '');
}

/** @returns the names, or what is wrong. */
async function askForModels(baseUrl: string): Promise<readonly string[] | string> {
  const key = process.env[upstreamKeyVariable] ?? '';
  try {
    const response = await fetch(`${baseUrl}/models`, {
      headers: key === '' ? {} : { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (response.status === 401 || response.status === 403) {
      throw new LocalError(
        `The upstream ${baseUrl} wants a key (status ${response.status}): set ${upstreamKeyVariable}.`,
      );
    }
    return response.ok
      ? modelNames(await response.json())
      : `GET ${baseUrl}/models has status ${response.status}`;
  } catch (error) {
    if (error instanceof LocalError) {
      throw error;
    }
    return `GET ${baseUrl}/models failed (${describe(error)})`;
  }
}

function modelNames(answer: unknown): readonly string[] | string {
  const data = (answer as { readonly data?: unknown } | null)?.data;
  if (!Array.isArray(data)) {
    return 'its answer holds no list of models';
  }
  return data
    .map((model: unknown) => (model as { readonly id?: unknown } | null)?.id)
    .filter((id): id is string => typeof id === 'string');
}

function describe(error: unknown): string {
  const { name, cause } = error as Error & { cause?: { code?: string; message?: string } };
  return name === 'TimeoutError'
    ? `no answer in ${timeoutMs / 1000} s`
    : (cause?.code ?? cause?.message ?? name);
}
