/** Result files of any size, checked as they arrive: nothing of them is kept. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { OpenAI } from 'openai';
import type { Batch } from 'openai/resources';
import type { ResultCheck } from '../scripts/demo/check-results';
import { ordinalOf } from './request-lines';

/** Parses each line, and counts those of each request: exactly one is right. */
export async function checkResultFiles(
  client: OpenAI,
  batch: Batch,
  { lines, signal }: { readonly lines: number; readonly signal: AbortSignal },
): Promise<ResultCheck> {
  const seen = new Uint8Array(lines);
  const counts = { answered: 0, failed: 0, repeated: 0, unknown: 0 };
  const files = { answered: batch.output_file_id, failed: batch.error_file_id };
  for (const kind of ['answered', 'failed'] as const) {
    for await (const line of linesOf(client, files[kind], signal)) {
      const { custom_id: customId } = JSON.parse(line) as { readonly custom_id: string };
      const ordinal = ordinalOf(customId);
      counts[kind] += 1;
      counts.unknown += ordinal in seen ? 0 : 1;
      counts.repeated += seen[ordinal] ?? 0;
      seen[ordinal] = 1;
    }
  }
  const missing = seen.reduce((sum, isSeen) => sum + 1 - isSeen, 0);
  return { ...counts, missing };
}

async function* linesOf(
  client: OpenAI,
  fileId: string | null | undefined,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const body =
    typeof fileId === 'string' ? (await client.files.content(fileId, { signal })).body : null;
  if (body !== null) {
    yield* createInterface({ input: Readable.fromWeb(body), crlfDelay: Infinity });
  }
}
