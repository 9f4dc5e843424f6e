/** Batches as a user makes them, with the official client; for programs and tests on a local stack. */
import OpenAI, { toFile } from 'openai';
import type { Stack } from './stack';
import { demoModel } from './upstream-choice';
import { waitUntil } from './wait';

export type Batch = OpenAI.Batches.Batch;

/** A line of an output or error file. */
export interface ResultLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: unknown;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export function clientOf(stack: Pick<Stack, 'baseUrl' | 'apiKey'>): OpenAI {
  return new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
}

/** Chat requests `request-0`, `request-1`, …, without a final line feed each. */
export function chatLines(
  count: number,
  contentOf: (index: number) => string = (index) => `What is ${index} + ${index}?`,
): string[] {
  return Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      custom_id: `request-${index}`,
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model: demoModel, messages: [{ role: 'user', content: contentOf(index) }] },
    }),
  );
}

/** Uploads the lines and creates a batch of them. */
export async function createBatch(
  client: OpenAI,
  lines: readonly string[],
  options: { readonly completionWindow?: string; readonly metadata?: Record<string, string> } = {},
): Promise<Batch> {
  const content = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const file = await client.files.create({
    file: await toFile(content, 'requests.jsonl'),
    purpose: 'batch',
  });
  return await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    // The client's type knows one window; a deployment may accept others.
    completion_window: (options.completionWindow ?? '24h') as '24h',
    ...(options.metadata !== undefined && { metadata: options.metadata }),
  });
}

/** Polls until the condition holds; returns the batch as it then was. */
export async function pollBatch(
  client: OpenAI,
  batchId: string,
  wanted: { readonly what: string; readonly timeoutMs: number; is(batch: Batch): boolean },
): Promise<Batch> {
  let batch = await client.batches.retrieve(batchId);
  await waitUntil(
    async () => {
      batch = await client.batches.retrieve(batchId);
      return wanted.is(batch);
    },
    { what: `${wanted.what} [batch=${batchId}]`, timeoutMs: wanted.timeoutMs },
  );
  return batch;
}

const terminalStatuses: readonly Batch['status'][] = [
  'completed',
  'failed',
  'cancelled',
  'expired',
];

export function isTerminal(batch: Batch): boolean {
  return terminalStatuses.includes(batch.status);
}

/** Lines that fail are tried again after ever longer pauses, to which a busy machine adds its own. */
const endTimeoutMs = 240_000;

export async function waitForEnd(
  client: OpenAI,
  batchId: string,
  timeoutMs = endTimeoutMs,
): Promise<Batch> {
  return await pollBatch(client, batchId, { what: 'the batch to end', timeoutMs, is: isTerminal });
}

/** The lines of a result file; none when there is no file. */
export async function resultLines(
  client: OpenAI,
  fileId: string | null | undefined,
): Promise<ResultLine[]> {
  if (fileId === null || fileId === undefined) {
    return [];
  }
  const text = await (await client.files.content(fileId)).text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ResultLine);
}
