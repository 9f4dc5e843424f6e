import type { BatchStore } from '../storage/batch-store';
import type { FileStore } from '../storage/file-store';
import type { BatchRunner } from '../temporal/batch-runner';
import type { Logger } from '../observability/logger';

/** Everything that the API needs from outside. */
export interface ApiDependencies {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly runner: BatchRunner;
  /** Names of the models that upstreams serve. */
  readonly models: readonly string[];
  /** Prefix of the task queues that workers poll. */
  readonly taskQueuePrefix: string;
  readonly settings: ApiSettings;
  readonly logger: Logger;
  /** Unix milliseconds. */
  readonly clock: () => number;
  /** At least 20 hex digits from a cryptographic source. */
  readonly randomHex: () => string;
}

export interface ApiSettings {
  readonly key: string;
  /** Accepted values of `completion_window`, at least one. */
  readonly completionWindows: readonly string[];
  /** An upload or a download that makes no progress for this long is cut. */
  readonly idleTimeoutMs: number;
  /** Largest accepted upload. */
  readonly fileBytesMax: number;
}

/** Token under which controllers receive {@link ApiDependencies}. */
export const API_DEPENDENCIES = Symbol('ApiDependencies');
