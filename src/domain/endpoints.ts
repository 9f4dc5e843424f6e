/**
 * The inference endpoints that a batch may address, if an upstream serves them: OpenAI's that take
 * JSON, and two that self-hosted servers add. An upstream serves {@link defaultEndpoints} unless
 * the upstreams file says otherwise.
 */
export const endpoints = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
  '/v1/responses',
  '/v1/moderations',
  '/v1/images/generations',
  '/v1/score',
  '/v1/rerank',
] as const;
export type Endpoint = (typeof endpoints)[number];

export const defaultEndpoints = [
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/embeddings',
] as const satisfies readonly Endpoint[];
