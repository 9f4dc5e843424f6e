/** A bare loop of part copies: what stringing objects together costs a store at least. */
import { request } from 'undici';
import { signedHeaders, type Store } from './signed-headers';

/** Copies whole objects into one, as its parts, so many at a time. */
export async function copyParts(
  store: Store,
  { sources, to }: { readonly sources: readonly string[]; readonly to: string },
  parallel: number,
): Promise<void> {
  const opened = await call(store, { method: 'POST', key: to, query: 'uploads=' });
  const uploadId = inXml(opened, 'UploadId');
  const etags: string[] = [];
  const left = sources.entries();
  const copyInTurn = async (): Promise<void> => {
    for (const [index, source] of left) {
      const query = `partNumber=${index + 1}&uploadId=${encodeURIComponent(uploadId)}`;
      const headers = { 'x-amz-copy-source': `/${store.bucket}/${source}` };
      etags[index] = inXml(await call(store, { method: 'PUT', key: to, query, headers }), 'ETag');
    }
  };
  await Promise.all(Array.from({ length: parallel }, copyInTurn));
  const parts = etags.map(
    (etag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`,
  );
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
  const query = `uploadId=${encodeURIComponent(uploadId)}`;
  inXml(await call(store, { method: 'POST', key: to, query, body }), 'ETag');
}

async function call(
  store: Store,
  given: {
    readonly method: 'POST' | 'PUT';
    readonly key: string;
    readonly query: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
  },
): Promise<string> {
  const { method, key, query, headers = {}, body = '' } = given;
  const url = new URL(`/${store.bucket}/${key}?${query}`, store.endpoint);
  const response = await request(url, {
    method,
    headers: signedHeaders(store, { method, url, headers }),
    body,
    headersTimeout: 0,
  });
  const text = await response.body.text();
  if (response.statusCode !== 200) {
    throw new Error(`The store answered ${response.statusCode}: ${text.slice(0, 500)}`);
  }
  return text;
}

/** @throws when the element is not there: S3 tells of some failures with status 200. */
function inXml(text: string, element: string): string {
  const content = new RegExp(`<${element}>([^<]+)</${element}>`).exec(text)?.[1];
  if (content === undefined) {
    throw new Error(`The store answered without ${element}: ${text.slice(0, 500)}`);
  }
  return content;
}
