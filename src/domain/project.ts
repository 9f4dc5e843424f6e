/**
 * Projects: whose files and batches these are, and how much of them there may be.
 *
 * A project needs no record: without one it has the limits of the deployment and no recipients.
 */
import type { ProjectId } from './ids';

/** What one project may have at most. Null: no limit. */
export interface ProjectLimits {
  /** Bytes of one uploaded file. */
  readonly fileBytesMax: number;
  /** Request lines of one batch. */
  readonly batchLinesMax: number;
  /** Inputs of one batch of embeddings, summed over its lines. */
  readonly embeddingInputsMax: number | null;
  /** Uploaded files; results never count. */
  readonly filesMax: number;
  /** Batches that have not ended. */
  readonly openBatchesMax: number;
  /** Batches that run at a time; others wait for their turn after validation. */
  readonly runningBatchesMax: number | null;
  /** Request lines of all batches that have not ended. */
  readonly queuedLinesMax: number | null;
}

/** A project as it is stored, set by the operator. Times are Unix seconds. */
export interface ProjectRecord {
  readonly id: ProjectId;
  readonly createdAt: number;
  /** What differs from the limits of the deployment. */
  readonly limits: Partial<ProjectLimits>;
  /** Addresses that are told by e-mail how a batch has ended. */
  readonly emails: readonly string[];
}

/** An API key as it is stored: the key itself is shown once, when it is made. */
export interface ApiKeyRecord {
  /** 16 hex digits; part of the key. */
  readonly id: string;
  readonly projectId: ProjectId;
  /** What the operator calls it. */
  readonly name: string;
  /** Of the whole key, in hex. */
  readonly sha256: string;
  /** Unix seconds. */
  readonly createdAt: number;
}

const keyPattern = /^sk-longhaul-([0-9a-f]{16})-[0-9a-f]{40}$/;

/** @param randomHex two different ones, each of at least 40 hex digits from a cryptographic source. */
export function makeApiKey(randomHex: () => string): { readonly id: string; readonly key: string } {
  const id = randomHex().slice(0, 16);
  return { id, key: `sk-longhaul-${id}-${randomHex().slice(0, 40)}` };
}

/** The id inside a key; `undefined` when the text is no key of ours. */
export function apiKeyIdOf(key: string): string | undefined {
  return keyPattern.exec(key)?.[1];
}

/** The limits that hold for a project. */
export function limitsOf(
  project: ProjectRecord | undefined,
  deployment: ProjectLimits,
): ProjectLimits {
  return { ...deployment, ...project?.limits };
}
