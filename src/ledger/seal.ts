import type { Usage } from '../domain/usage';
import type { ShardCounts } from '../domain/workflow-contract';

/** One of the two ordered objects of a sealed shard. */
export interface SealedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lineCount: number;
}

/** What a sealed shard holds. */
export interface Seal {
  /** Null when no line belongs into it. */
  readonly output: SealedObject | null;
  readonly errors: SealedObject | null;
  readonly counts: ShardCounts;
  readonly usage: Usage;
}
