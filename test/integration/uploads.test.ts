import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { json } from 'node:stream/consumers';
import type OpenAI from 'openai';
import { peakRssBytes, resetPeakRss, rssBytes } from '../../bench/process-stats';
import { clientOf } from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';

const bytes = 1_000_000_000;
/** As the official clients cut files. */
const partBytes = 67_108_864;
const parallelMax = 3;
/**
 * For each part on its way three buffers that are sent to the store, and as much again that waits to
 * be freed, which on a busy machine takes a while: less than half of the file.
 */
const rssGrowthBytesMax = 2 * parallelMax * 3 * 16 * 1024 ** 2 + 150e6;

const stack = useStack({ parts: ['minio', 'api'] });
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

/** The bytes of a part: lines that differ from part to part, and from line to line. */
function partAt(index: number): Buffer {
  const size = Math.min(partBytes, bytes - index * partBytes);
  const block = Buffer.from(
    Array.from({ length: 4_096 }, (_, line) => `{"part":${index},"line":${line}}\n`).join(''),
  );
  return Buffer.alloc(size, block);
}

async function sendPart(uploadId: string, content: Buffer): Promise<string> {
  const boundary = 'longhaul-part';
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="data"; filename="upload"\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const tail = `\r\n--${boundary}--\r\n`;
  const request = httpRequest(`${stack().baseUrl}/uploads/${uploadId}/parts`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack().apiKey}`,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': head.length + content.length + tail.length,
    },
  });
  request.write(head);
  request.write(content);
  request.end(tail);
  const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
  const { id } = (await json(response)) as { id: string };
  return id;
}

/** Sends all parts, some at once, the last ones first; their ids are in the order of the file. */
async function sendParts(uploadId: string): Promise<string[]> {
  const ids = new Array<string>(Math.ceil(bytes / partBytes));
  const rest = [...ids.keys()].reverse();
  const sendNext = async (): Promise<void> => {
    for (let index = rest.shift(); index !== undefined; index = rest.shift()) {
      ids[index] = await sendPart(uploadId, partAt(index));
    }
  };
  await Promise.all(Array.from({ length: parallelMax }, sendNext));
  return ids;
}

function md5OfParts(): string {
  const hash = createHash('md5');
  for (let index = 0; index * partBytes < bytes; index += 1) {
    hash.update(partAt(index));
  }
  return hash.digest('hex');
}

async function md5OfFile(fileId: string): Promise<string> {
  const { body } = await client.files.content(fileId);
  const hash = createHash('md5');
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
  }
  return hash.digest('hex');
}

test('a gigabyte in parts, out of order, becomes a file without filling the memory', async () => {
  const { pid } = stack().process('api');
  const rssBefore = rssBytes(pid);
  resetPeakRss(pid);
  const { id } = await client.uploads.create({
    bytes,
    filename: 'gigabyte.jsonl',
    mime_type: 'application/jsonl',
    purpose: 'batch',
  });
  const part_ids = await sendParts(id);
  const md5 = md5OfParts();
  const { file, status } = await client.uploads.complete(id, { part_ids, md5 });
  expect([status, file?.bytes]).toEqual(['completed', bytes]);
  expect(peakRssBytes(pid) - rssBefore).toBeLessThan(rssGrowthBytesMax);
  expect(await md5OfFile(file?.id ?? '')).toBe(md5);
});
