/** What an operator sees of a batch in the Web UI: search attributes and a small table. */
import {
  defineSearchAttributeKey,
  SearchAttributeType,
  type SearchAttributePair,
} from '@temporalio/common';
import { setCurrentDetails, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import type { BatchStatus, EndReason } from '../src/domain/batch';
import {
  searchAttributeNames,
  type BatchWorkflowInput,
  type ShardCounts,
} from '../src/domain/workflow-contract';

const names = searchAttributeNames;
const statusKey = defineSearchAttributeKey(names.status, SearchAttributeType.KEYWORD);
const modelKey = defineSearchAttributeKey(names.model, SearchAttributeType.KEYWORD);
const requestsKey = defineSearchAttributeKey(names.requests, SearchAttributeType.INT);

export class BatchView {
  private status: BatchStatus = 'validating';
  private total = 0;
  private shardCount = 0;
  private shardsSealed = 0;
  private completed = 0;
  private failed = 0;
  /** To be shown with the next status. */
  private unshown: readonly SearchAttributePair[] = [];

  /** A batch of one shard is not yet to be found as in progress. */
  private waits: boolean;

  constructor(private readonly input: Pick<BatchWorkflowInput, 'recovery' | 'showsLate'>) {
    this.waits = input.showsLate === true;
  }

  validated(plan: {
    readonly total: number;
    readonly shardCount: number;
    readonly model: string | null;
  }): void {
    this.total = plan.total;
    this.shardCount = plan.shardCount;
    const model = plan.model ?? 'several';
    this.unshown = [
      { key: modelKey, value: model.slice(0, 255) },
      { key: requestsKey, value: plan.total },
    ];
    if (this.input.showsLate !== true) {
      // Runs of old have the model in both.
      upsertMemo({ model });
    }
    if (plan.shardCount === 1 && this.waits) {
      this.status = 'in_progress';
      this.describe();
    } else {
      this.show('in_progress');
    }
  }

  /** The batch has run for a while. */
  waitNoLonger(): void {
    this.waits = false;
    if (this.unshown.length > 0) {
      this.show(this.status);
    }
  }

  sealed(counts: ShardCounts): void {
    this.shardsSealed += 1;
    this.completed += counts.completed;
    this.failed += counts.failed;
    this.describe();
  }

  /** There is nothing to finalize of a batch that fails before it has shards. */
  ending(reason: EndReason): void {
    if (reason !== 'failed' || this.shardCount > 0) {
      this.show(reason === 'cancelled' ? 'cancelling' : 'finalizing');
    }
  }

  ended(reason: EndReason): void {
    this.show(reason);
  }

  private show(status: BatchStatus): void {
    this.status = status;
    upsertSearchAttributes([{ key: statusKey, value: status }, ...this.unshown]);
    this.unshown = [];
    this.describe();
  }

  private describe(): void {
    setCurrentDetails(
      [
        ...this.recoveryNote(),
        '| status | requests | shards sealed | completed there | failed there |',
        '| --- | --- | --- | --- | --- |',
        `| ${this.status} | ${this.total} | ${this.shardsSealed} of ${this.shardCount} | ${this.completed} | ${this.failed} |`,
      ].join('\n'),
    );
  }

  private recoveryNote(): string[] {
    const { recovery } = this.input;
    if (recovery === undefined) {
      return [];
    }
    const what = recovery.reason === 'failed' ? 'has failed' : 'was terminated';
    return [
      `Recovery: the earlier run ${what}. This one ends the batch and keeps its answers.`,
      '',
    ];
  }
}
