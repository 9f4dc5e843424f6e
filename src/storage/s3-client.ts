import { Client } from 'minio';
import type { StoreConfig } from '../config/config';
import type { S3Transport } from './s3-transport';

/** The client can list parts, and keeps it to itself. */
export class S3Client extends Client {
  override async listParts(
    ...upload: Parameters<Client['listParts']>
  ): ReturnType<Client['listParts']> {
    return await super.listParts(...upload);
  }
}

/** For bytes that go with a checksum: it does not hash them for the signature as well. */
export function withoutHashes(client: S3Client): S3Client {
  client.enableSHA256 = false;
  return client;
}

export function createClient(config: StoreConfig, transport: S3Transport): S3Client {
  const url = new URL(config.endpoint);
  return new S3Client({
    endPoint: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port !== '' && { port: Number(url.port) }),
    useSSL: url.protocol === 'https:',
    accessKey: config.accessKey,
    secretKey: config.secretKey,
    region: config.region,
    transport,
    retryOptions: { disableRetry: true },
  });
}
