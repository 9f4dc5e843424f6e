/** Tokens, summed over answers. All are non-negative integers. */
export interface Usage {
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly totalTokens: number;
}

export const noUsage: Usage = {
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  totalTokens: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    totalTokens: a.totalTokens + b.totalTokens,
  };
}

export function totalUsage(parts: readonly { readonly usage: Usage }[]): Usage {
  return parts.reduce((sum, { usage }) => addUsage(sum, usage), noUsage);
}

/** No model comes near it, and a shard's sums of 32-bit counts fit the 48 bits of a segment. */
const tokensMax = 2 ** 32 - 1;

/**
 * Reads `usage` of a parsed answer: the names of chat completions, completions and embeddings, and
 * those of the Responses API. Whatever is missing or not a count is 0; an upstream is not trusted.
 */
export function usageOf(answer: unknown): Usage {
  const usage = member(answer, 'usage');
  if (usage === undefined || usage === null) {
    return noUsage;
  }
  const inputTokens = count(usage, 'prompt_tokens') || count(usage, 'input_tokens');
  const outputTokens = count(usage, 'completion_tokens') || count(usage, 'output_tokens');
  const inputDetails =
    member(usage, 'prompt_tokens_details') ?? member(usage, 'input_tokens_details');
  const outputDetails =
    member(usage, 'completion_tokens_details') ?? member(usage, 'output_tokens_details');
  return {
    inputTokens,
    cachedTokens: count(inputDetails, 'cached_tokens'),
    outputTokens,
    reasoningTokens: count(outputDetails, 'reasoning_tokens'),
    totalTokens: count(usage, 'total_tokens') || inputTokens + outputTokens,
  };
}

function member(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}

function count(value: unknown, key: string): number {
  const found = member(value, key);
  return typeof found === 'number' && Number.isInteger(found) && found > 0 && found <= tokensMax
    ? found
    : 0;
}
