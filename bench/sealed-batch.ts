/** A batch that is ready to be finalized, as its slices leave it: every shard sealed, nothing else. */
import { randomBytes } from 'node:crypto';
import type { NewBatch } from '../src/domain/batch';
import { defaultProjectId, makeBatchId, makeFileId } from '../src/domain/ids';
import { expiresAfterSecondsDefault } from '../src/domain/limits';
import { batchKeys, fileKeys } from '../src/domain/object-keys';
import { noUsage } from '../src/domain/usage';
import type { FinalizeInput } from '../src/domain/workflow-contract';
import { encodeEpoch } from '../src/ledger/epoch-record';
import type { SealedObject } from '../src/ledger/seal';
import { BatchStore } from '../src/storage/batch-store';
import type { ObjectStore } from '../src/storage/object-store';
import { benchModel } from './bench-stack';
import { cannedAnswer } from './canned-answer';
import { customIdOf } from './request-lines';

const epoch = 1;
const windowSeconds = 86_400;

export interface SealedBatch {
  /** The sealed output objects, in order. */
  readonly objects: readonly SealedObject[];
  readonly bytes: number;
  /**
   * Gives the batch a new record, whatever became of it before, and a new output file.
   *
   * @returns what the activity is told, and the key of the file's content
   */
  reset(): Promise<{ readonly input: FinalizeInput; readonly outputKey: string }>;
}

/** @param size of all sealed objects together, which are of equal length */
export async function plantSealedBatch(
  store: ObjectStore,
  { shardCount, size }: { readonly shardCount: number; readonly size: number },
): Promise<SealedBatch> {
  const batchId = makeBatchId(Date.now(), randomHex());
  const ref = { projectId: defaultProjectId, batchId };
  const keys = batchKeys(ref.projectId, batchId);
  const content = resultLines(Math.ceil(size / shardCount));
  const objects: SealedObject[] = [];
  for (let index = 0; index < shardCount; index++) {
    const shard = keys.shard(index);
    const key = shard.sealedOutput(epoch);
    const epochKey = shard.epoch(epoch);
    const stored = await store.put(key, content.bytes);
    const { lineCount } = content;
    const output = { key, ...stored, sizeBytes: content.bytes.length, lineCount };
    const counts = { completed: lineCount, failed: 0 };
    const seal = { output, errors: null, counts, usage: noUsage };
    const record = { epoch, owner: randomHex(), segments: [], seal };
    await store.put(epochKey, encodeEpoch(epochKey, record));
    objects.push(output);
  }
  const total = shardCount * content.lineCount;
  const batches = new BatchStore(store);
  return {
    objects,
    bytes: shardCount * content.bytes.length,
    reset: async () => {
      const at = Math.floor(Date.now() / 1_000);
      const batch = newBatch(batchId, at);
      await store.delete([keys.record, keys.end]);
      await batches.create(batch);
      await batches.apply(ref, { type: 'validation_passed', at, total, model: benchModel });
      const end = await batches.decideEnd(ref, { reason: 'completed', at });
      await batches.apply(ref, { type: 'end_decided', end });
      return {
        input: { ref, shardCount },
        outputKey: fileKeys(ref.projectId, batch.resultFileIds.output).content,
      };
    },
  };
}

function newBatch(id: NewBatch['id'], createdAt: number): NewBatch {
  const fileId = (): NewBatch['resultFileIds']['output'] => makeFileId(Date.now(), randomHex());
  return {
    id,
    projectId: defaultProjectId,
    endpoint: '/v1/chat/completions',
    completionWindow: '24h',
    inputFileId: fileId(),
    resultFileIds: { output: fileId(), error: fileId() },
    outputExpiresAfterSeconds: expiresAfterSecondsDefault,
    metadata: null,
    createdAt,
    expiresAt: createdAt + windowSeconds,
  };
}

/** As many result lines as there is room for, at least one. */
function resultLines(bytesMax: number): { readonly bytes: Buffer; readonly lineCount: number } {
  const line = (ordinal: number): string =>
    `{"id":"batch_req_bench_${ordinal}","custom_id":"${customIdOf(ordinal)}","response":` +
    `{"status_code":200,"request_id":"bench","body":${cannedAnswer}},"error":null}\n`;
  const lineCount = Math.max(1, Math.floor(bytesMax / Buffer.byteLength(line(1_000_000))));
  const lines = Array.from({ length: lineCount }, (_, ordinal) => line(ordinal));
  return { bytes: Buffer.from(lines.join('')), lineCount };
}

function randomHex(): string {
  return randomBytes(16).toString('hex');
}
