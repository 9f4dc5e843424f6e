/** Which upstreams a stack has, and the upstreams file that says so to API and worker. */
import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { loopback } from './ports';

interface ServedModel {
  /** As requests name it. */
  readonly name: string;
  /** As the server names it; the same when absent. */
  readonly upstreamName?: string;
}

export type UpstreamChoice =
  /** A simulated upstream of the stack's own, as a child process. */
  | {
      readonly kind: 'simulated';
      readonly models?: readonly string[];
      /** As `request_timeout_seconds` of the upstreams file. */
      readonly requestTimeoutSeconds?: number;
    }
  /** An inference server that runs already. */
  | {
      readonly kind: 'server';
      /** With the path that stands for `/v1`. */
      readonly baseUrl: string;
      readonly models: readonly ServedModel[];
      /** The variable that holds the server's key, which API and worker inherit. */
      readonly apiKeyVariable?: string;
    }
  /** An upstreams file of the user's own. */
  | { readonly kind: 'file'; readonly path: string };

export const demoModel = 'longhaul-demo-model';
/** Of the simulated upstream, which takes any number at a time: its requests are to take a while. */
export const simulatedInFlight = 64;

/** @returns the path of the file that API and worker read. */
export function writeUpstreamsFile(
  path: string,
  choice: UpstreamChoice,
  simulatorPort: number,
): string {
  if (choice.kind === 'file') {
    return choice.path;
  }
  writeFileSync(path, stringify({ upstreams: [toEntry(choice, simulatorPort)] }));
  return path;
}

function toEntry(
  choice: Exclude<UpstreamChoice, { kind: 'file' }>,
  simulatorPort: number,
): Record<string, unknown> {
  if (choice.kind === 'simulated') {
    return {
      name: 'simulated',
      base_url: `http://${loopback}:${simulatorPort}/v1`,
      max_in_flight: simulatedInFlight,
      models: choice.models ?? [demoModel],
      ...(choice.requestTimeoutSeconds !== undefined && {
        request_timeout_seconds: choice.requestTimeoutSeconds,
      }),
    };
  }
  return {
    name: 'upstream',
    base_url: choice.baseUrl,
    ...(choice.apiKeyVariable === undefined ? {} : { api_key_env: choice.apiKeyVariable }),
    models: choice.models.map(({ name, upstreamName = name }) =>
      name === upstreamName ? name : { name, upstream_name: upstreamName },
    ),
  };
}
