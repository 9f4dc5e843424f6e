import type { BatchRef, ShardRef } from '../src/domain/workflow-contract';
import type { WorkerRole } from '../src/config/config';
import type { ModelRoutes } from '../src/config/upstreams';
import { batchKeys } from '../src/domain/object-keys';
import type { Shard } from '../src/domain/shard-plan';
import type { LedgerOptions, RecentSegments } from '../src/ledger/shard-ledger';
import type { ProjectLimits } from '../src/domain/project';
import type { Mailer } from '../src/notifications/mailer';
import type { Logger } from '../src/observability/logger';
import type { Agenda } from '../src/storage/agenda';
import type { BatchStore } from '../src/storage/batch-store';
import type { CreatedBatches } from '../src/storage/created-batches';
import type { FileStore } from '../src/storage/file-store';
import type { ObjectStore } from '../src/storage/object-store';
import type { ProjectStore } from '../src/storage/project-store';
import type { UploadStore } from '../src/storage/upload-store';
import type { WebhookStore } from '../src/storage/webhook-store';
import type { BatchWorkflows } from '../src/temporal/batch-workflows';
import type { ByteBudget } from '../src/upstream/byte-budget';
import type { Dispatcher } from '../src/upstream/dispatcher';
import type { EndWatch } from './end-watch';
import type { OpenFileCheck } from './file-check';
import type { HeldBatches } from './held-batches';
import type { ProgressReporter } from './progress-reporter';

/** Everything that the activities need; made once, in the worker's `main.ts`. */
export interface ActivityDeps {
  readonly store: ObjectStore;
  readonly batches: BatchStore;
  readonly files: FileStore;
  readonly uploads: UploadStore;
  readonly createdBatches: CreatedBatches;
  readonly agenda: Agenda;
  readonly workflows: BatchWorkflows;
  readonly projects: ProjectStore;
  readonly webhooks: WebhookStore;
  /** Absent: no e-mail. */
  readonly mailer?: Mailer;
  readonly routes: ModelRoutes;
  readonly dispatcher: Dispatcher;
  readonly budget: ByteBudget;
  readonly recentSegments: RecentSegments;
  readonly heldBatches: HeldBatches;
  readonly progress: ProgressReporter;
  readonly endWatch: EndWatch;
  readonly openFileCheck: OpenFileCheck;
  readonly logger: Logger;
  readonly settings: ActivitySettings;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** At least 20 random hex digits, different with each call. */
  readonly randomHex: () => string;
}

interface ActivitySettings {
  /** Of the deployment; a project's record may say otherwise. */
  readonly limits: ProjectLimits;
  readonly mixedModels: 'refuse' | 'allow';
  readonly requestOrder: 'input' | 'prefix';
  readonly sliceDurationMs: number;
  readonly cancelGraceMs: number;
  readonly shutdownGraceMs: number;
  /** Of this process; what ends a batch is for orchestrators. */
  readonly roles: readonly WorkerRole[];
  /** For how long a batch is kept after its end. */
  readonly batchRetentionDays: number;
}

export function nowSeconds(deps: Pick<ActivityDeps, 'now'>): number {
  return Math.floor(deps.now() / 1000);
}

/** What the ledger of one shard needs. */
export function ledgerOptions(
  deps: ActivityDeps,
  { ref, shard }: { readonly ref: ShardRef; readonly shard: Shard },
): LedgerOptions {
  return {
    store: deps.store,
    keys: batchKeys(ref.projectId, ref.batchId).shard(ref.shardIndex),
    shard,
    makeToken: deps.randomHex,
    recent: deps.recentSegments,
    onDamaged: (key) => {
      deps.logger.error(
        { batch: ref.batchId, shard: ref.shardIndex, key },
        'an object of the ledger is damaged or missing: lines that only it had have no answer',
      );
    },
  };
}

/** Something that must be there is not: a fault of ours or of the store, worth trying again. */
export class MissingObject extends Error {
  override readonly name = 'MissingObject';

  constructor(what: string, ref: BatchRef) {
    super(`The ${what} of a batch is missing [batch=${ref.batchId}]`);
  }
}
