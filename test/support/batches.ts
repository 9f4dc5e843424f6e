/** Batches, files and request lines as tests need them: small, valid, and alike in every test. */
import { newBatchRecord, type BatchRecord, type NewBatch } from '../../src/domain/batch';
import { makeBatchId, makeFileId, type BatchId, type FileId } from '../../src/domain/ids';

export const projectId = 'default';
export const model = 'small';

/** Unix seconds of everything that happens at the start of a test. */
export const startedAt = 1_700_000_000;

/** Ids that differ in `number` alone; a larger one is newer. */
export function aBatchId(number = 0): BatchId {
  return makeBatchId(startedAt * 1000 + number, 'b'.repeat(20));
}

export function aFileId(number = 0): FileId {
  return makeFileId(startedAt * 1000 + number, 'f'.repeat(20));
}

export function aNewBatch(changes: Partial<NewBatch> = {}): NewBatch {
  return {
    id: aBatchId(),
    projectId,
    endpoint: '/v1/chat/completions',
    completionWindow: '24h',
    inputFileId: aFileId(1),
    resultFileIds: { output: aFileId(2), error: aFileId(3) },
    outputExpiresAfterSeconds: 2_592_000,
    metadata: null,
    createdAt: startedAt,
    expiresAt: startedAt + 86_400,
    ...changes,
  };
}

export function aBatch(changes: Partial<BatchRecord> = {}): BatchRecord {
  return { ...newBatchRecord(aNewBatch()), ...changes };
}

/** The custom ID of the request line with this ordinal. */
export function customIdOf(ordinal: number): string {
  return `request-${ordinal}`;
}

/** A valid request line without its line feed; `changes` replace members, `undefined` removes one. */
export function requestLine(ordinal: number, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    custom_id: customIdOf(ordinal),
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model, messages: [{ role: 'user', content: `Question ${ordinal}` }] },
    ...changes,
  });
}

/** The content of a valid input file. */
export function requestLines(count: number): string {
  return Array.from({ length: count }, (_, ordinal) => `${requestLine(ordinal)}\n`).join('');
}
