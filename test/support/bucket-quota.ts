import { Client } from 'minio';
import type { StoreConfig } from '../../src/config/config';

/**
 * Fills a bucket, or makes room again: MinIO refuses whatever alone is as large as the quota, so that
 * one of a byte leaves room for nothing but markers.
 *
 * It is a call of MinIO's admin API, which is signed like those of S3; the paths do not overlap.
 */
export async function setBucketQuota(store: StoreConfig, quotaBytes: number | null): Promise<void> {
  const { hostname, port } = new URL(store.endpoint);
  const { accessKey, secretKey, region } = store;
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey,
    secretKey,
    region,
  });
  const quota = quotaBytes === null ? { quota: 0 } : { quota: quotaBytes, quotatype: 'hard' };
  const request = {
    method: 'PUT',
    bucketName: 'minio',
    objectName: 'admin/v3/set-bucket-quota',
    query: `bucket=${store.bucket}`,
  };
  const response = await client.makeRequestAsync(request, JSON.stringify(quota));
  response.resume();
}
