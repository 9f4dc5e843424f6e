/**
 * Every key in the bucket, in one place; docs/storage-layout.md describes each object.
 *
 * Everything of a project lies below its prefix. Keys are built from ids of ours and from numbers,
 * never from what a client sent. Numbers are zero-padded, so that the store's order is theirs.
 */
import type { BatchId, FileId, ProjectId } from './ids';

export interface BatchKeys {
  readonly prefix: string;
  readonly record: string;
  readonly end: string;
  readonly plan: string;
  /** All bad lines of an input that did not validate; the record holds the first of them. */
  readonly errors: string;
  readonly shardsPrefix: string;
  readonly progressPrefix: string;
  progress(processName: string): string;
  shard(shardIndex: number): ShardKeys;
}

export interface ShardKeys {
  readonly epochsPrefix: string;
  epoch(epoch: number): string;
  /** Prefix of the segments that the owner of one epoch wrote. */
  segmentsOf(epoch: number): string;
  segment(epoch: number, sequence: number): string;
  /** A compacted segment: it counts only once an epoch names it. */
  compacted(epoch: number): string;
  sealedOutput(epoch: number): string;
  sealedErrors(epoch: number): string;
}

export interface FileKeys {
  readonly prefix: string;
  readonly record: string;
  readonly content: string;
  readonly tombstone: string;
  readonly usesPrefix: string;
  use(batchId: BatchId): string;
}

export function batchesPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/batches/`;
}

export function filesPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/files/`;
}

/** Marker of a batch that is not terminal. */
export function openBatchKey(projectId: ProjectId, batchId: BatchId): string {
  return `open/${projectId}/${batchId}`;
}

export function batchKeys(projectId: ProjectId, batchId: BatchId): BatchKeys {
  const prefix = `${batchesPrefix(projectId)}${batchId}/`;
  return {
    prefix,
    record: `${prefix}record.json`,
    end: `${prefix}end`,
    plan: `${prefix}plan.json`,
    errors: `${prefix}errors.jsonl`,
    shardsPrefix: `${prefix}shards/`,
    progressPrefix: `${prefix}progress/`,
    progress: (processName) => `${prefix}progress/${processName}`,
    shard: (shardIndex) => shardKeys(`${prefix}shards/${padded(shardIndex, 5)}/`),
  };
}

export function fileKeys(projectId: ProjectId, fileId: FileId): FileKeys {
  const prefix = `${filesPrefix(projectId)}${fileId}/`;
  return {
    prefix,
    record: `${prefix}record.json`,
    content: `${prefix}content`,
    tombstone: `${prefix}deleted`,
    usesPrefix: `${prefix}uses/`,
    use: (batchId) => `${prefix}uses/${batchId}`,
  };
}

function shardKeys(prefix: string): ShardKeys {
  const segmentsOf = (epoch: number): string => `${prefix}segments/${padded(epoch, 8)}-`;
  return {
    epochsPrefix: `${prefix}epochs/`,
    epoch: (epoch) => `${prefix}epochs/${padded(epoch, 8)}`,
    segmentsOf,
    segment: (epoch, sequence) => `${segmentsOf(epoch)}${padded(sequence, 8)}`,
    compacted: (epoch) => `${prefix}compacted/${padded(epoch, 8)}`,
    sealedOutput: (epoch) => `${prefix}sealed/${padded(epoch, 8)}-output.jsonl`,
    sealedErrors: (epoch) => `${prefix}sealed/${padded(epoch, 8)}-errors.jsonl`,
  };
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
