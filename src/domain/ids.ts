/**
 * Identifiers of projects, batches, files, uploads and request lines.
 *
 * The id of a batch, a file or an upload carries an *inverted* millisecond timestamp (12 hex digits)
 * and 80 random bits (20 hex digits), so that the object store's natural key order is newest first
 * and the `after` cursor of a list is the store's start-after. Clients treat ids as opaque.
 */

export type BatchId = `batch_${string}`;
export type FileId = `file-${string}`;
export type UploadId = `upload_${string}`;
/** A part of an upload. */
export type PartId = `part_${string}`;
export type RequestId = `batch_req_${string}`;
/** A project's webhook. */
export type WebhookEndpointId = `we_${string}`;
/** Chosen by the operator: lower-case letters, digits and hyphens. */
export type ProjectId = string;

/** The project of the key in the settings; it needs no record. */
export const defaultProjectId: ProjectId = 'default';

const timestampDigits = 12;
const randomDigits = 20;
const timestampMsMax = 2 ** 48 - 1;

const projectIdPattern = /^[a-z0-9][a-z0-9-]{0,39}$/;
const batchIdPattern = /^batch_[0-9a-f]{32}$/;
const fileIdPattern = /^file-[0-9a-f]{32}$/;
const uploadIdPattern = /^upload_[0-9a-f]{32}$/;
const partIdPattern = /^part_[0-9a-f]{32}$/;
const webhookEndpointIdPattern = /^we_[0-9a-f]{16}$/;

/** @param randomHex at least 20 hex digits from a cryptographic source. */
export function makeBatchId(nowMs: number, randomHex: string): BatchId {
  return `batch_${newestFirst(nowMs, randomHex)}`;
}

/** Of the ids of batches made in that millisecond or before it, the first in the order of their text. */
export function firstBatchIdBy(timeMs: number): BatchId {
  return makeBatchId(timeMs, '0'.repeat(randomDigits));
}

/** @param randomHex at least 20 hex digits from a cryptographic source. */
export function makeFileId(nowMs: number, randomHex: string): FileId {
  return `file-${newestFirst(nowMs, randomHex)}`;
}

/** @param randomHex at least 20 hex digits from a cryptographic source. */
export function makeUploadId(nowMs: number, randomHex: string): UploadId {
  return `upload_${newestFirst(nowMs, randomHex)}`;
}

/** @param randomHex at least 20 hex digits from a cryptographic source. */
export function makePartId(nowMs: number, randomHex: string): PartId {
  return `part_${newestFirst(nowMs, randomHex)}`;
}

/**
 * The id of one result line: the batch's random part and the line's ordinal, so that it is the same
 * whichever process answers the line, and however often.
 */
export function makeRequestId(batchId: BatchId, ordinal: number): RequestId {
  return `batch_req_${batchId.slice(-randomDigits)}${hex(ordinal, timestampDigits)}`;
}

export function isProjectId(text: string): text is ProjectId {
  return projectIdPattern.test(text);
}

export function isBatchId(text: string): text is BatchId {
  return batchIdPattern.test(text);
}

export function isFileId(text: string): text is FileId {
  return fileIdPattern.test(text);
}

export function isUploadId(text: string): text is UploadId {
  return uploadIdPattern.test(text);
}

export function isPartId(text: string): text is PartId {
  return partIdPattern.test(text);
}

/** @param randomHex at least 16 hex digits from a cryptographic source. */
export function makeWebhookEndpointId(randomHex: string): WebhookEndpointId {
  return `we_${randomHex.slice(0, 16)}`;
}

export function isWebhookEndpointId(text: string): text is WebhookEndpointId {
  return webhookEndpointIdPattern.test(text);
}

/** When an id was made, in Unix milliseconds. */
export function madeAtMs(id: BatchId | FileId | UploadId): number {
  const inverted = id.slice(-(timestampDigits + randomDigits), -randomDigits);
  return timestampMsMax - Number.parseInt(inverted, 16);
}

/** The workflow id of one shard: readable in the Web UI, and below its batch in a sorted list. */
export function shardWorkflowId(batchId: BatchId, shardIndex: number): string {
  return `${batchId}/shard-${String(shardIndex).padStart(5, '0')}`;
}

/** The workflow id of telling one target how a batch has ended. */
export function notificationWorkflowId(batchId: BatchId, target: string): string {
  return target === 'email' ? `${batchId}/email` : `${batchId}/webhook-${target}`;
}

function newestFirst(nowMs: number, randomHex: string): string {
  return hex(timestampMsMax - nowMs, timestampDigits) + randomHex.slice(0, randomDigits);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
