/** Batches of a benchmark: made, watched, and checked when they have ended. */
import { setTimeout as delay } from 'node:timers/promises';
import { APIError, OpenAI } from 'openai';
import type { Batch } from 'openai/resources';
import { say } from '../scripts/cli/run-program';
import { isComplete } from '../scripts/demo/check-results';
import type { Stack } from '../scripts/local/stack';
import { inputChunks, lineBytesOf, requestBody } from './request-lines';
import { checkResultFiles } from './result-files';
import { uploadFile } from './upload-file';

const pollIntervalMs = 100;
const pollTimeoutMs = 5_000;

/** What batches are made and watched with. */
export interface BatchUser {
  readonly stack: Stack;
  readonly client: OpenAI;
  readonly folder: string;
  readonly signal: AbortSignal;
}

export function batchUser(stack: Stack, folder: string, signal: AbortSignal): BatchUser {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  return { stack, client, folder, signal };
}

/** Resolves to the id of a file with so many requests, which are nowhere but on their way to it. */
export async function uploadLines(
  { stack, signal }: BatchUser,
  lines: number,
  body = requestBody,
): Promise<string> {
  say(`Uploading ${lines} requests …`);
  const content = { bytes: lines * lineBytesOf(body), chunks: inputChunks(lines, body) };
  return (await uploadFile(stack, content, signal)).id;
}

export async function createBatch({ client }: BatchUser, fileId: string): Promise<Batch> {
  return await client.batches.create({
    input_file_id: fileId,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  });
}

/** Looks ten times a second; a look that the API cannot answer is passed over. */
export async function pollUntil(
  { client, signal }: BatchUser,
  batchId: string,
  condition: (batch: Batch) => boolean,
): Promise<Batch> {
  for (;;) {
    const batch = await look(client, batchId);
    if (batch !== undefined && condition(batch)) {
      return batch;
    }
    await delay(pollIntervalMs, undefined, { signal });
  }
}

export function isTerminal({ status }: Batch): boolean {
  return ['completed', 'failed', 'expired', 'cancelled'].includes(status);
}

/**
 * Numbers of a run that lost a line would be worth nothing.
 *
 * @param expected the status, and how many of the lines must have been answered; all when absent.
 * @throws when the batch ended otherwise, or a request has not exactly one result line.
 */
export async function verifyResults(
  { client, signal }: BatchUser,
  batch: Batch,
  expected: {
    readonly lines: number;
    readonly status: Batch['status'];
    readonly answered?: number;
  },
): Promise<void> {
  const { lines, status, answered } = expected;
  const check = await checkResultFiles(client, batch, { lines, signal });
  const isRight =
    batch.status === status &&
    isComplete(check) &&
    (answered === undefined || check.answered === answered);
  if (!isRight) {
    const { status: found } = batch;
    throw new Error(
      `The batch is not as it should be: ${JSON.stringify({ status: found, check })}`,
    );
  }
}

async function look(client: OpenAI, batchId: string): Promise<Batch | undefined> {
  try {
    // Without the signal: the client would add a listener to it each time, and take none away.
    return await client.batches.retrieve(batchId, { timeout: pollTimeoutMs });
  } catch (error) {
    if (error instanceof APIError) {
      return undefined;
    }
    throw error;
  }
}
