/** The inference endpoints that a batch may address. */
export const endpoints = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'] as const;
export type Endpoint = (typeof endpoints)[number];
