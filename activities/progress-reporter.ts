/**
 * Publishes the live counts and tokens of the shards that this process runs: one object a batch,
 * overwritten about every second while something changes.
 *
 * The object keeps the entries of shards that this process has finished. The counts are those of
 * committed segments; readers take, for each shard, the entry with the highest epoch.
 */
import type { BatchRef, ShardRef } from '../src/domain/workflow-contract';
import type { Logger } from '../src/observability/logger';
import type { BatchStore, LiveProgress, Progress } from '../src/storage/batch-store';

const intervalMs = 1_000;

interface Report {
  readonly ref: BatchRef;
  entries: Progress;
  /** The entries include those that this process published before. */
  isLoaded: boolean;
  users: number;
  isDirty: boolean;
  timer: NodeJS.Timeout | undefined;
  writing: Promise<void>;
}

/** One running slice's side of the report. */
export interface ShardProgress {
  update(epoch: number, done: LiveProgress): void;
  /** Publishes the last update; the slice reports no more. */
  close(): Promise<void>;
}

export class ProgressReporter {
  private readonly reports = new Map<string, Report>();

  /** @param processName tells this process from every other; part of an object key. */
  constructor(
    private readonly batches: BatchStore,
    private readonly processName: string,
    private readonly logger: Logger,
  ) {}

  /** @param isOnlyShard of its batch: then nothing that was published before is of use. */
  open(shard: ShardRef, isOnlyShard = false): ShardProgress {
    const report = this.reports.get(shard.batchId) ?? this.start(shard, isOnlyShard);
    report.users += 1;
    return {
      update: (epoch, { counts, usage }) => {
        const entry = [epoch, counts.completed, counts.failed, usage] as const;
        report.entries = { ...report.entries, [shard.shardIndex]: entry };
        this.schedule(report);
      },
      close: async () => {
        // Still a user until that is done: two reports of one batch would overwrite each other.
        await this.publish(report);
        report.users -= 1;
        if (report.users === 0) {
          this.reports.delete(shard.batchId);
        }
      },
    };
  }

  private start({ projectId, batchId }: BatchRef, isLoaded: boolean): Report {
    const report: Report = {
      ref: { projectId, batchId },
      entries: {},
      isLoaded,
      users: 0,
      isDirty: false,
      timer: undefined,
      writing: Promise.resolve(),
    };
    this.reports.set(batchId, report);
    return report;
  }

  private schedule(report: Report): void {
    report.isDirty = true;
    report.timer ??= setTimeout(() => void this.publish(report), intervalMs);
  }

  private async publish(report: Report): Promise<void> {
    clearTimeout(report.timer);
    report.timer = undefined;
    report.writing = report.writing.then(async () => {
      await this.write(report);
    });
    await report.writing;
  }

  private async write(report: Report): Promise<void> {
    if (!report.isDirty) {
      return;
    }
    report.isDirty = false;
    try {
      if (!report.isLoaded) {
        const earlier = await this.batches.getProgress(report.ref, this.processName);
        report.entries = { ...earlier, ...report.entries };
        report.isLoaded = true;
      }
      await this.batches.putProgress(report.ref, this.processName, report.entries);
    } catch (error) {
      // Counts are a view: the batch does not wait for them, and the next update publishes again.
      report.isDirty = true;
      this.logger.warn({ batch: report.ref.batchId, err: error }, 'cannot publish progress');
    }
  }
}
