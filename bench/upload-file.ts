import { Readable } from 'node:stream';
import { request } from 'undici';
import type { Stack } from '../scripts/local/stack';

const boundary = 'longhaul-bench-8c1f5d0e';

export interface UploadContent {
  readonly bytes: number;
  readonly chunks: AsyncIterable<unknown> | Iterable<unknown>;
}

export interface UploadedFile {
  readonly id: string;
  readonly bytes: number;
}

/**
 * `POST /v1/files` with a content that need not exist anywhere as a whole: the official client reads
 * a form into memory first.
 *
 * @throws when the answer is not 200, or the API has not counted as many bytes.
 */
export async function uploadFile(
  stack: Stack,
  content: UploadContent,
  signal: AbortSignal,
): Promise<UploadedFile> {
  const head = Buffer.from(
    `--${boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n` +
      `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="input.jsonl"\r\n` +
      'content-type: application/jsonl\r\n\r\n',
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  async function* form(): AsyncGenerator {
    yield head;
    yield* content.chunks;
    yield tail;
  }
  const response = await request(`${stack.baseUrl}/files`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.apiKey}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(head.length + content.bytes + tail.length),
    },
    body: Readable.from(form(), { objectMode: false }),
    signal,
  });
  const answer = (await response.body.json()) as UploadedFile;
  if (response.statusCode !== 200 || answer.bytes !== content.bytes) {
    throw new Error(
      `The API answered the upload with ${response.statusCode}: ${JSON.stringify(answer)}`,
    );
  }
  return answer;
}

/** The API is down to its usual needs again when the file is deleted. */
export async function deleteFile(stack: Stack, { id }: UploadedFile): Promise<void> {
  const response = await request(`${stack.baseUrl}/files/${id}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${stack.apiKey}` },
  });
  await response.body.dump();
  if (response.statusCode !== 200) {
    throw new Error(`The API answered the deletion with ${response.statusCode}.`);
  }
}
