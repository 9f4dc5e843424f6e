/**
 * What the simulated upstream answers: plausible, varied, and a pure function of the request's
 * bytes, so that a test can say what the output file must hold.
 */
import { integer, pick, randomFrom, type Random } from './random';

/** A parsed request body; everything in it is unchecked. */
export type RequestBody = Readonly<Record<string, unknown>>;

export const answeredEndpoints = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
] as const;
export type AnsweredEndpoint = (typeof answeredEndpoints)[number];

/** @param bytes the request's body as it was received, which `body` was parsed from. */
export function answerOf(
  endpoint: AnsweredEndpoint,
  body: RequestBody,
  bytes: Buffer,
): Record<string, unknown> {
  const random = randomFrom(bytes);
  const common = {
    id: `${idPrefixes[endpoint]}-${identifier(random)}`,
    // Some second of 2026, and the same one every time.
    created: 1_767_225_600 + integer(random, 0, 31_535_999),
    model: body['model'],
  };
  switch (endpoint) {
    case '/v1/chat/completions':
      return { ...common, object: 'chat.completion', ...chatAnswer(body, random) };
    case '/v1/completions':
      return { ...common, object: 'text_completion', ...completionAnswer(body, random) };
    case '/v1/embeddings':
      return { object: 'list', model: body['model'], ...embeddingAnswer(body, random) };
  }
}

const idPrefixes = {
  '/v1/chat/completions': 'chatcmpl',
  '/v1/completions': 'cmpl',
  '/v1/embeddings': 'embd',
} as const;

const sentences = [
  'The customer reports that the delivery has not arrived and asks for a new date.',
  'A refund was promised on the phone, but nothing has been credited so far.',
  'The device restarts by itself after the last update, usually within ten minutes.',
  'No action is needed beyond confirming the changed address.',
  'Die Rechnung wurde doppelt abgebucht und sollte erstattet werden.',
  'Le colis est resté bloqué en douane depuis une semaine.',
  'お客様は返品と交換を希望されています。',
  'El cliente agradece la rápida respuesta y da por cerrado el caso.',
  'Access was restored after the password had been reset twice.',
  'The invoice total does not match the order confirmation (42.50 € instead of 39.90 €).',
  'It is worth checking the firmware version before sending a replacement.',
  'Everything else in the message is praise for the support team. 🎉',
] as const;

function chatAnswer(body: RequestBody, random: Random): Record<string, unknown> {
  const messages = Array.isArray(body['messages']) ? body['messages'] : [];
  const prompt = JSON.stringify(messages);
  const choices = Array.from({ length: choiceCount(body) }, (_, index) => {
    const { text, isCut } = cutTo(tokensMax(body), contentFor(body, prompt, random));
    return {
      index,
      message: { role: 'assistant', content: text, refusal: null },
      logprobs: null,
      finish_reason: isCut ? 'length' : 'stop',
    };
  });
  return {
    choices,
    usage: usageOf(
      prompt,
      choices.map((choice) => choice.message.content),
    ),
  };
}

function completionAnswer(body: RequestBody, random: Random): Record<string, unknown> {
  const prompt = JSON.stringify(body['prompt'] ?? '');
  const choices = Array.from({ length: choiceCount(body) }, (_, index) => {
    const { text, isCut } = cutTo(tokensMax(body), ` ${prose(random)}`);
    return { index, text, logprobs: null, finish_reason: isCut ? 'length' : 'stop' };
  });
  return {
    choices,
    usage: usageOf(
      prompt,
      choices.map((choice) => choice.text),
    ),
  };
}

function embeddingAnswer(body: RequestBody, random: Random): Record<string, unknown> {
  const inputs = Array.isArray(body['input']) ? body['input'] : [body['input']];
  const dimensions = typeof body['dimensions'] === 'number' ? body['dimensions'] : 64;
  const data = inputs.map((_, index) => {
    const vector = unitVector(random, dimensions);
    const embedding = body['encoding_format'] === 'base64' ? toBase64(vector) : vector;
    return { object: 'embedding', index, embedding };
  });
  const promptTokens = tokensOf(JSON.stringify(inputs));
  return { data, usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } };
}

/** Follows the two instructions of the example files that a machine would read. */
function contentFor(body: RequestBody, prompt: string, random: Random): string {
  if (body['response_format'] !== undefined) {
    return JSON.stringify({
      category: pick(random, ['billing', 'delivery', 'technical', 'account', 'other']),
      urgent: random() < 0.2,
      summary: pick(random, sentences),
    });
  }
  const options = /exactly one of: ([^."\\]+)/i.exec(prompt)?.[1]?.split(',');
  return options === undefined ? prose(random) : pick(random, options).trim();
}

function prose(random: Random): string {
  return Array.from({ length: integer(random, 1, 5) }, () => pick(random, sentences)).join(' ');
}

function choiceCount(body: RequestBody): number {
  const n = body['n'];
  return typeof n === 'number' && n >= 1 && n <= 16 ? Math.floor(n) : 1;
}

function tokensMax(body: RequestBody): number {
  const limit = body['max_completion_tokens'] ?? body['max_tokens'];
  return typeof limit === 'number' ? limit : Infinity;
}

function cutTo(tokens: number, text: string): { readonly text: string; readonly isCut: boolean } {
  return tokensOf(text) <= tokens
    ? { text, isCut: false }
    : {
        text: Array.from(text)
          .slice(0, tokens * 4)
          .join(''),
        isCut: true,
      };
}

function usageOf(prompt: string, answers: readonly string[]): Record<string, unknown> {
  const promptTokens = tokensOf(prompt);
  const completionTokens = answers.reduce((sum, text) => sum + tokensOf(text), 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}

/** Four characters a token is what tokenizers come to for English. */
function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

function unitVector(random: Random, dimensions: number): number[] {
  const vector = Array.from({ length: dimensions }, () => random() * 2 - 1);
  const length = Math.hypot(...vector);
  return vector.map((value) => Number((value / length).toFixed(7)));
}

function toBase64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64');
}

function identifier(random: Random): string {
  return Array.from({ length: 24 }, () => integer(random, 0, 35).toString(36)).join('');
}
