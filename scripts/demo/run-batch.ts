/** What a user does, with the official client: upload, create, poll, download. */
import { createReadStream, createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenAI } from 'openai';
import type { Batch } from 'openai/resources';
import { say } from '../cli/run-program';
import { LocalError } from '../local/local-error';
import { showProgress } from './progress';

export interface BatchRequest {
  readonly inputPath: string;
  readonly endpoint: string;
  readonly signal: AbortSignal;
  /** Called once the batch exists. */
  readonly onCreated: (batch: Batch) => void;
}

export interface ResultFiles {
  readonly output: string;
  readonly errors: string;
}

const pollIntervalMs = 250;
const pollTimeoutMs = 30_000;
const terminal: readonly Batch['status'][] = ['completed', 'failed', 'cancelled', 'expired'];
const errorsShownMax = 10;

/**
 * @returns the finished batch.
 * @throws {@link LocalError} when its input file is not valid, with the first bad lines.
 */
export async function runBatch(client: OpenAI, request: BatchRequest): Promise<Batch> {
  const { signal } = request;
  say(`Uploading ${request.inputPath}`);
  const file = await client.files.create(
    { file: createReadStream(request.inputPath), purpose: 'batch' },
    { signal },
  );
  const created = await client.batches.create(
    {
      input_file_id: file.id,
      // Whether the endpoint is known is for the API to say.
      endpoint: request.endpoint as '/v1/chat/completions',
      completion_window: '24h',
    },
    { signal },
  );
  request.onCreated(created);
  const batch = await waitForEnd(client, created, signal);
  if (batch.status === 'failed') {
    throw new LocalError(describeFailure(batch));
  }
  return batch;
}

async function waitForEnd(client: OpenAI, created: Batch, signal: AbortSignal): Promise<Batch> {
  const progress = showProgress();
  try {
    let batch = created;
    while (!terminal.includes(batch.status)) {
      await delay(pollIntervalMs, undefined, { signal });
      // Without the signal: the client would add a listener to it each time, and take none away.
      batch = await client.batches.retrieve(created.id, { timeout: pollTimeoutMs });
      progress.update(batch);
    }
    return batch;
  } finally {
    progress.stop();
  }
}

function describeFailure(batch: Batch): string {
  const errors = batch.errors?.data ?? [];
  const lines = errors
    .slice(0, errorsShownMax)
    .map(
      ({ line, message }) =>
        `\n  ${typeof line === 'number' ? `line ${line}: ` : ''}${message ?? ''}`,
    );
  const more =
    errors.length > errorsShownMax ? `\n  … and ${errors.length - errorsShownMax} more` : '';
  return `The batch has failed because its input file is not valid:${lines.join('')}${more}`;
}

/** A file that the batch does not have is empty here. */
export async function downloadResults(
  client: OpenAI,
  batch: Batch,
  options: { readonly folder: string; readonly signal: AbortSignal },
): Promise<ResultFiles> {
  mkdirSync(options.folder, { recursive: true });
  const files = {
    output: join(options.folder, 'output.jsonl'),
    errors: join(options.folder, 'errors.jsonl'),
  };
  const download = async (fileId: string | undefined, path: string): Promise<void> => {
    const body =
      fileId === undefined
        ? null
        : (await client.files.content(fileId, { signal: options.signal })).body;
    if (body === null) {
      writeFileSync(path, '');
      return;
    }
    await pipeline(Readable.fromWeb(body), createWriteStream(path));
  };
  await download(batch.output_file_id ?? undefined, files.output);
  await download(batch.error_file_id ?? undefined, files.errors);
  return files;
}
