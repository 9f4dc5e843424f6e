/** AWS Signature Version 4 by hand, with an unsigned payload: the least a client of S3 can do. */
import { createHash, createHmac } from 'node:crypto';
import type { Stack } from '../scripts/local/stack';

export type Store = Stack['store'];

export interface CallToSign {
  readonly method: string;
  /** Its query in the order of its names. */
  readonly url: URL;
  /** Beyond those that every call has; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** The headers of the call, the given ones among them. */
export function signedHeaders(
  store: Store,
  { method, url, headers: more = {} }: CallToSign,
): Record<string, string> {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${timestamp.slice(0, 8)}/${store.region}/s3/aws4_request`;
  const headers = {
    host: url.host,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': timestamp,
    ...more,
  };
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const names = sorted.map(([name]) => name).join(';');
  const canonicalRequest = [
    method,
    url.pathname,
    url.search.slice(1),
    sorted.map(([name, value]) => `${name}:${value}\n`).join(''),
    names,
    headers['x-amz-content-sha256'],
  ].join('\n');
  const hashed = createHash('sha256').update(canonicalRequest).digest('hex');
  const textToSign = ['AWS4-HMAC-SHA256', timestamp, scope, hashed].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>((secret, part) => hmac(secret, part), `AWS4${store.secretKey}`);
  const signature = hmac(key, textToSign).toString('hex');
  const credential = `${store.accessKey}/${scope}`;
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  };
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
