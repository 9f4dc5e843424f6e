/** One plain PUT to an S3 server, signed by hand (AWS Signature Version 4, unsigned payload). */
import { createHash, createHmac } from 'node:crypto';
import type { Readable } from 'node:stream';
import { request } from 'undici';
import type { Stack } from '../scripts/local/stack';

export async function putPlainly(
  store: Stack['store'],
  key: string,
  content: { readonly bytes: number; readonly stream: Readable },
): Promise<void> {
  const url = new URL(`/${store.bucket}/${key}`, store.endpoint);
  const response = await request(url, {
    method: 'PUT',
    headers: { ...signedHeaders(store, url), 'content-length': String(content.bytes) },
    body: content.stream,
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) {
    throw new Error(`The store answered ${response.statusCode}: ${text.slice(0, 500)}`);
  }
}

function signedHeaders(store: Stack['store'], url: URL): Record<string, string> {
  const timestamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${timestamp.slice(0, 8)}/${store.region}/s3/aws4_request`;
  const headers = {
    host: url.host,
    'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    'x-amz-date': timestamp,
  };
  const names = Object.keys(headers).join(';');
  const canonicalHeaders = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const canonicalRequest = [
    'PUT',
    url.pathname,
    '',
    canonicalHeaders.join(''),
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
