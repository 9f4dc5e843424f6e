/** Which upstream answers the demo's file. */
import { say } from '../cli/run-program';
import { discoverUpstream, upstreamKeyVariable } from '../local/discover-upstream';
import { LocalError } from '../local/local-error';
import type { UpstreamChoice } from '../local/upstream-choice';

export interface UpstreamWish {
  /** `--upstream`; the simulated one when absent. */
  readonly url: string | undefined;
  /** `--model` */
  readonly model: string | undefined;
}

/**
 * @param model as the input file names it.
 * @throws {@link LocalError} when the server cannot be reached, or several of its models could be
 *   meant.
 */
export async function chooseUpstream(wish: UpstreamWish, model: string): Promise<UpstreamChoice> {
  if (wish.url === undefined) {
    return { kind: 'simulated', models: [model] };
  }
  const { baseUrl, models } = await discoverUpstream(wish.url);
  const upstreamName = servedAs(model, wish, models);
  if (upstreamName !== model) {
    say(`The file asks for ${model}; ${upstreamName} of ${baseUrl} answers in its place.`);
  }
  const hasKey = (process.env[upstreamKeyVariable] ?? '') !== '';
  return {
    kind: 'server',
    baseUrl,
    models: [{ name: model, upstreamName }],
    ...(hasKey ? { apiKeyVariable: upstreamKeyVariable } : {}),
  };
}

function servedAs(model: string, wish: UpstreamWish, models: readonly string[]): string {
  const wanted = wish.model ?? (models.includes(model) ? model : undefined);
  if (wanted !== undefined) {
    if (models.length > 0 && !models.includes(wanted)) {
      throw new LocalError(
        `The upstream does not serve ${wanted}; it serves: ${models.join(', ')}.`,
      );
    }
    return wanted;
  }
  const [only, ...others] = models;
  if (only === undefined || others.length > 0) {
    const served =
      only === undefined ? 'does not say what it serves' : `serves: ${models.join(', ')}`;
    throw new LocalError(
      `The file asks for ${model}, which the upstream does not list; it ${served}. Name the model to use with --model.`,
    );
  }
  return only;
}
