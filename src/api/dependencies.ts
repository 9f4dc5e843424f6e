import type { ProjectLimits } from '../domain/project';
import type { Agenda } from '../storage/agenda';
import type { BatchStore } from '../storage/batch-store';
import type { FileStore } from '../storage/file-store';
import type { ProjectStore } from '../storage/project-store';
import type { BatchRunner } from '../temporal/batch-runner';
import type { Logger } from '../observability/logger';

/** Everything that the API needs from outside. */
export interface ApiDependencies {
  readonly files: FileStore;
  readonly batches: BatchStore;
  readonly projects: ProjectStore;
  readonly agenda: Agenda;
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
  /** A key of the default project, beside those in the store. */
  readonly key: string | undefined;
  /** Nobody needs a key: every request is the default project's. */
  readonly isOpen: boolean;
  /** Accepted values of `completion_window`, at least one. */
  readonly completionWindows: readonly string[];
  /** An upload or a download that makes no progress for this long is cut. */
  readonly idleTimeoutMs: number;
  /** What a project may have, unless its record says otherwise. */
  readonly limits: ProjectLimits;
}

/** Token under which controllers receive {@link ApiDependencies}. */
export const API_DEPENDENCIES = Symbol('ApiDependencies');
