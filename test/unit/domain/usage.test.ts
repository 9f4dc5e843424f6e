import { addUsage, noUsage, usageOf, type Usage } from '../../../src/domain/usage';

function check(usage: unknown, expected: Partial<Usage>): void {
  expect(usageOf({ usage })).toEqual({ ...noUsage, ...expected });
}

test('usage of chat completions is read', () => {
  check(
    {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 15,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 3 },
    },
    { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedTokens: 4, reasoningTokens: 3 },
  );
});

test('usage of embeddings, which have no output, is read', () => {
  check({ prompt_tokens: 8, total_tokens: 8 }, { inputTokens: 8, totalTokens: 8 });
});

test('usage under the names of the Responses API is read', () => {
  check(
    {
      input_tokens: 10,
      output_tokens: 5,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens_details: { reasoning_tokens: 3 },
    },
    { inputTokens: 10, outputTokens: 5, totalTokens: 15, cachedTokens: 4, reasoningTokens: 3 },
  );
});

test('a total that is missing is the sum', () => {
  check(
    { prompt_tokens: 2, completion_tokens: 3 },
    { inputTokens: 2, outputTokens: 3, totalTokens: 5 },
  );
});

test('what is not a count is nothing', () => {
  for (const tokens of [-1, 1.5, '5', null, true, [], {}, Number.MAX_VALUE]) {
    check({ prompt_tokens: tokens, prompt_tokens_details: { cached_tokens: tokens } }, {});
  }
  for (const usage of [null, undefined, 1, 'text', []]) {
    check(usage, {});
  }
  for (const answer of [null, undefined, 1, 'text', [], {}]) {
    expect(usageOf(answer)).toEqual(noUsage);
  }
});

test('a count that no model can have reached is nothing', () => {
  check({ prompt_tokens: Number.MAX_SAFE_INTEGER, total_tokens: 2 ** 48 }, {});
});

test('usages are added member by member', () => {
  const one: Usage = {
    inputTokens: 1,
    cachedTokens: 2,
    outputTokens: 3,
    reasoningTokens: 4,
    totalTokens: 5,
  };
  expect(addUsage(one, addUsage(one, noUsage))).toEqual({
    inputTokens: 2,
    cachedTokens: 4,
    outputTokens: 6,
    reasoningTokens: 8,
    totalTokens: 10,
  });
});
