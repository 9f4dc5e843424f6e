/** The one answer of the benchmarks' own upstreams, a chat completion of about 300 bytes. */
const answer = {
  id: 'chatcmpl-bench-0000000000000000',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'bench-model',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'The answer to this request is always the same one.' },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 24, completion_tokens: 11, total_tokens: 35 },
};

export const cannedAnswer = JSON.stringify(answer);

export const tokensPerAnswer = answer.usage.total_tokens;
