/** Batches of the tests, and what happens to them. */
import { Readable } from 'node:stream';
import type { BatchEnd, BatchEvent } from '../../../src/domain/batch';
import { defaultProjectId, makeFileId, type BatchId } from '../../../src/domain/ids';
import type { BatchRef } from '../../../src/domain/workflow-contract';
import { send, type Answer, type ApiUnderTest } from './api-under-test';

export const endpoint = '/v1/chat/completions';
/** When the clock of the tests starts; Unix seconds. */
export const createdAt = 1_767_225_600;

export async function aBatch(api: ApiUnderTest): Promise<BatchRef> {
  const batch = await api.client.batches.create({
    input_file_id: 'file-1',
    endpoint,
    completion_window: '24h',
  });
  return refOf(batch.id);
}

/** A file of one empty object, ready for a batch. */
export async function anInputFile({ clock, files }: ApiUnderTest): Promise<string> {
  const id = makeFileId(clock.nowMs, 'cd'.repeat(10));
  await files.putContent(defaultProjectId, id, Readable.from([Buffer.from('{}\n')]));
  await files.create({
    id,
    projectId: defaultProjectId,
    bytes: 3,
    createdAt,
    expiresAt: null,
    filename: 'in.jsonl',
    purpose: 'batch',
  });
  return id;
}

export function refOf(id: string): BatchRef {
  return { projectId: defaultProjectId, batchId: id as BatchId };
}

export async function create(
  api: ApiUnderTest,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return await send(api.url, {
    method: 'POST',
    path: '/v1/batches',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

export const passed: BatchEvent = {
  type: 'validation_passed',
  at: createdAt + 1,
  total: 10,
  model: 'small',
};
export const invalid: BatchEvent = {
  type: 'validation_failed',
  at: createdAt + 2,
  errors: [{ code: 'invalid_json_line', message: 'no', param: null, line: 3 }],
};
export const ends = (reason: BatchEnd['reason']): BatchEvent => ({
  type: 'end_decided',
  end: { reason, at: createdAt + 3 },
});
export const finalized = (reason: 'completed' | 'cancelled' | 'expired'): BatchEvent => ({
  type: 'finalized',
  at: createdAt + 4,
  reason,
  result: {
    outputFileId: 'file-out',
    errorFileId: null,
    requestCounts: { total: 10, completed: 10, failed: 0 },
    usage: {
      inputTokens: 5,
      cachedTokens: 1,
      outputTokens: 7,
      reasoningTokens: 2,
      totalTokens: 12,
    },
  },
});
