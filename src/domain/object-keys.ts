/**
 * Every key in the bucket, in one place; docs/storage-layout.md describes each object.
 *
 * Everything of a project lies below its prefix. Keys are built from ids of ours and from numbers,
 * never from what a client sent. Numbers are zero-padded, so that the store's order is theirs.
 */
import type { BatchId, FileId, PartId, ProjectId, UploadId, WebhookEndpointId } from './ids';

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
  readonly deliveriesPrefix: string;
  /** What became of telling one target how the batch has ended. */
  delivery(target: string): string;
  shard(shardIndex: number): ShardKeys;
}

export interface ShardKeys {
  readonly prefix: string;
  readonly epochsPrefix: string;
  epoch(epoch: number): string;
  readonly segmentsPrefix: string;
  /** Prefix of the segments that the owner of one epoch wrote. */
  segmentsOf(epoch: number): string;
  segment(epoch: number, sequence: number): string;
  readonly compactedPrefix: string;
  /** A compacted segment: it counts only once an epoch names it. */
  compacted(epoch: number): string;
  sealedOutput(epoch: number): string;
  sealedErrors(epoch: number): string;
}

export interface FileKeys {
  readonly prefix: string;
  readonly record: string;
  readonly content: string;
  readonly usesPrefix: string;
  use(batchId: BatchId): string;
}

export interface UploadKeys {
  readonly prefix: string;
  readonly record: string;
  readonly partsPrefix: string;
  part(partId: PartId): string;
}

/** Below it are the projects that have anything. */
export const projectsPrefix = 'projects/';

export function batchesPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/batches/`;
}

export function filesPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/files/`;
}

/** The markers of all batches that are not terminal. */
export const openBatchesPrefix = 'open/';

/** Those of one project. */
export function openBatchesPrefixOf(projectId: ProjectId): string {
  return `${openBatchesPrefix}${projectId}/`;
}

/** Marker of a batch that is not terminal. */
export function openBatchKey(projectId: ProjectId, batchId: BatchId): string {
  return `${openBatchesPrefixOf(projectId)}${batchId}`;
}

/** Records of projects; outside the projects' own prefixes, so that one list finds them all. */
export const projectRecordsPrefix = 'project-records/';

export function projectRecordKey(projectId: ProjectId): string {
  return `${projectRecordsPrefix}${projectId}`;
}

export const apiKeysPrefix = 'api-keys/';

export function apiKeyKey(keyId: string): string {
  return `${apiKeysPrefix}${keyId}`;
}

export function webhooksPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/webhooks/`;
}

export function webhookKey(projectId: ProjectId, endpointId: WebhookEndpointId): string {
  return `${webhooksPrefix(projectId)}${endpointId}`;
}

/** The secret that signs what goes to the addresses of single batches. */
export function webhookSecretKey(projectId: ProjectId): string {
  return `projects/${projectId}/webhook-secret`;
}

/** Markers of a project's uploaded files, which count against its limit. */
export function uploadedFilesPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/uploaded/`;
}

export function uploadedFileKey(projectId: ProjectId, fileId: FileId): string {
  return `${uploadedFilesPrefix(projectId)}${fileId}`;
}

/** What a create has fixed, so that it can be repeated. `nameHex` is a hash. */
export function createdBatchKey(projectId: ProjectId, nameHex: string): string {
  return `projects/${projectId}/creates/${nameHex}`;
}

/** What an attempt at a create without a name leaves for its repeats. `requestHash` is in hex. */
export function createAttemptKey(
  projectId: ProjectId,
  requestHash: string,
  batchId: BatchId,
): string {
  return `${createAttemptsPrefix(projectId, requestHash)}${batchId}`;
}

/** All attempts at a request, newest first; without one, all of the project. */
export function createAttemptsPrefix(projectId: ProjectId, requestHash?: string): string {
  const prefix = `projects/${projectId}/attempts/`;
  return requestHash === undefined ? prefix : `${prefix}${requestHash}-`;
}

/** The agenda: what has to be looked at, in the order of the time from which on. */
export const agendaPrefix = 'agenda/';

/** @param dueSeconds Unix seconds. */
export function agendaKey(dueSeconds: number, projectId: ProjectId, subject: string): string {
  return `${agendaPrefix}${padded(dueSeconds, 12)}/${projectId}/${subject}`;
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
    deliveriesPrefix: `${prefix}deliveries/`,
    delivery: (target) => `${prefix}deliveries/${target}`,
    shard: (shardIndex) => shardKeys(`${prefix}shards/${padded(shardIndex, 5)}/`),
  };
}

export function fileKeys(projectId: ProjectId, fileId: FileId): FileKeys {
  const prefix = `${filesPrefix(projectId)}${fileId}/`;
  return {
    prefix,
    record: `${prefix}record.json`,
    content: `${prefix}content`,
    usesPrefix: `${prefix}uses/`,
    use: (batchId) => `${prefix}uses/${batchId}`,
  };
}

export function uploadsPrefix(projectId: ProjectId): string {
  return `projects/${projectId}/uploads/`;
}

export function uploadKeys(projectId: ProjectId, uploadId: UploadId): UploadKeys {
  const prefix = `${uploadsPrefix(projectId)}${uploadId}/`;
  return {
    prefix,
    record: `${prefix}record.json`,
    partsPrefix: `${prefix}parts/`,
    part: (partId) => `${prefix}parts/${partId}`,
  };
}

function shardKeys(prefix: string): ShardKeys {
  const segmentsPrefix = `${prefix}segments/`;
  const compactedPrefix = `${prefix}compacted/`;
  const segmentsOf = (epoch: number): string => `${segmentsPrefix}${padded(epoch, 8)}-`;
  return {
    prefix,
    epochsPrefix: `${prefix}epochs/`,
    epoch: (epoch) => `${prefix}epochs/${padded(epoch, 8)}`,
    segmentsPrefix,
    segmentsOf,
    segment: (epoch, sequence) => `${segmentsOf(epoch)}${padded(sequence, 8)}`,
    compactedPrefix,
    compacted: (epoch) => `${compactedPrefix}${padded(epoch, 8)}`,
    sealedOutput: (epoch) => `${prefix}sealed/${padded(epoch, 8)}-output.jsonl`,
    sealedErrors: (epoch) => `${prefix}sealed/${padded(epoch, 8)}-errors.jsonl`,
  };
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
