import type { ResultForm } from '../domain/batch';
import type { Endpoint } from '../domain/endpoints';
import type { ProjectLimits } from '../domain/project';
import type { Agenda } from '../storage/agenda';
import type { BatchStore } from '../storage/batch-store';
import type { CreatedBatches } from '../storage/created-batches';
import type { FileStore } from '../storage/file-store';
import type { ProjectStore } from '../storage/project-store';
import type { UploadStore } from '../storage/upload-store';
import type { BatchRunner } from '../temporal/batch-runner';
import type { Logger } from '../observability/logger';
import type { ReadLiveProgress } from './batches/live-progress';

/** Everything that the API needs from outside. */
export interface ApiDependencies {
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly batches: BatchStore;
  readonly readLiveProgress: ReadLiveProgress;
  readonly createdBatches: CreatedBatches;
  readonly projects: ProjectStore;
  readonly agenda: Agenda;
  readonly runner: BatchRunner;
  /** Names of the models that upstreams serve. */
  readonly models: readonly string[];
  /** Endpoints that some upstream serves, at least one. */
  readonly endpoints: readonly Endpoint[];
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
  /** Where the API answers beside `/v1`; each begins with a slash and ends with none. */
  readonly pathPrefixes: readonly string[];
  /** CIDRs of networks of the operator's, in which `webhook_url` may be private and plain http. */
  readonly webhookAllowedNetworks: readonly string[];
  /** What becomes of a batch whose input file does not exist: it fails, or it is not created. */
  readonly unknownInputFile: 'fail_batch' | 'refuse';
  /** Form of the result lines of new batches. */
  readonly resultForm: ResultForm;
  /** An upload or a download that makes no progress for this long is cut. */
  readonly idleTimeoutMs: number;
  /** What a project may have, unless its record says otherwise. */
  readonly limits: ProjectLimits;
}

/** Token under which controllers receive {@link ApiDependencies}. */
export const API_DEPENDENCIES = Symbol('ApiDependencies');
