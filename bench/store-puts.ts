/** Puts of a file straight to the store, without the API: what uploads are compared with. */
import { createHash, createHmac } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Client } from 'minio';
import { request } from 'undici';
import type { Stack } from '../scripts/local/stack';

type Store = Stack['store'];

export interface PutContent {
  readonly bytes: number;
  readonly stream: Readable;
}

/** `putObject` of the `minio` package, as it comes: parts of 64 MiB or more, one after the other. */
export async function putWithClient(store: Store, key: string, content: PutContent): Promise<void> {
  await clientOf(store).putObject(store.bucket, key, content.stream, content.bytes);
}

/** One PUT, signed by hand (AWS Signature Version 4, unsigned payload): the least a client can do. */
export async function putPlainly(store: Store, key: string, content: PutContent): Promise<void> {
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

/** @throws when the store does not hold so many bytes under the key. */
export async function removePut(store: Store, key: string, bytes: number): Promise<void> {
  const client = clientOf(store);
  const { size } = await client.statObject(store.bucket, key);
  if (size !== bytes) {
    throw new Error(`The store holds ${size} of ${bytes} bytes.`);
  }
  await client.removeObject(store.bucket, key);
}

function clientOf(store: Store): Client {
  const url = new URL(store.endpoint);
  return new Client({
    endPoint: url.hostname,
    port: Number(url.port),
    useSSL: false,
    accessKey: store.accessKey,
    secretKey: store.secretKey,
    region: store.region,
  });
}

function signedHeaders(store: Store, url: URL): Record<string, string> {
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
