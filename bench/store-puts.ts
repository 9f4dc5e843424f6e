/** Puts of a file straight to the store, without the API: what uploads are compared with. */
import type { Readable } from 'node:stream';
import { Client } from 'minio';
import { request } from 'undici';
import { signedHeaders, type Store } from './signed-headers';

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
    headers: {
      ...signedHeaders(store, { method: 'PUT', url }),
      'content-length': String(content.bytes),
    },
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
