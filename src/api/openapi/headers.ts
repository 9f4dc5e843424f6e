import type { Header, Reference } from './types';

/** Headers of answers. */
export const headers: Readonly<Record<string, Header>> = {
  'x-request-id': {
    required: true,
    description: 'Names this answer; the logs have it too.',
    schema: { type: 'string', pattern: '^req_[0-9a-f]{32}$' },
  },
  'retry-after': {
    description: 'Seconds after which a repeat may succeed.',
    schema: { type: 'string', pattern: '^[0-9]+$' },
  },
  'x-should-retry': {
    description: '`false` where a repeat cannot succeed; the official clients obey it.',
    schema: { type: 'string', enum: ['false'] },
  },
  'www-authenticate': {
    required: true,
    description: 'How to authenticate.',
    schema: { type: 'string', const: 'Bearer' },
  },
  allow: {
    required: true,
    description: 'The methods that the path has.',
    schema: { type: 'string', examples: ['GET, HEAD'] },
  },
  'content-range': {
    required: true,
    description: 'Which bytes of how many (RFC 9110, §14.4).',
    schema: { type: 'string', examples: ['bytes 0-99/1234', 'bytes */1234'] },
  },
  'content-disposition': {
    required: true,
    description: 'The name of the file, in the two forms of RFC 6266.',
    schema: { type: 'string', pattern: '^attachment; filename=".*"; filename\\*=UTF-8\'\'' },
  },
  'accept-ranges': {
    required: true,
    description: 'Tells that parts of the content can be had.',
    schema: { type: 'string', const: 'bytes' },
  },
  etag: {
    required: true,
    description: 'Of the bytes of a file, which never change.',
    schema: { type: 'string', pattern: '^"file-[0-9a-f]{32}"$' },
  },
};

export function headerRefs(...names: readonly string[]): Readonly<Record<string, Reference>> {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
