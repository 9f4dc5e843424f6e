/**
 * Looks at the `end` object of every batch that this process works on, once a second.
 *
 * So a cancel takes effect within a second even when its signal was lost or Temporal is down. One
 * watch serves all activities of a batch.
 */
import type { BatchEnd } from '../src/domain/batch';
import type { BatchRef } from '../src/domain/workflow-contract';
import type { Logger } from '../src/observability/logger';
import type { BatchStore } from '../src/storage/batch-store';

const intervalMs = 1_000;

interface Watch {
  readonly listeners: Set<(end: BatchEnd) => void>;
  timer: NodeJS.Timeout | undefined;
}

export class EndWatch {
  private readonly watches = new Map<string, Watch>();

  constructor(
    private readonly batches: BatchStore,
    private readonly logger: Logger,
  ) {}

  /**
   * Calls `onEnd` at most once, when the batch's end is decided.
   *
   * @returns a function that stops watching.
   */
  watch(ref: BatchRef, onEnd: (end: BatchEnd) => void): () => void {
    const watch = this.watches.get(ref.batchId) ?? this.start(ref);
    let isTold = false;
    const listener = (end: BatchEnd): void => {
      if (!isTold) {
        isTold = true;
        onEnd(end);
      }
    };
    watch.listeners.add(listener);
    return () => {
      watch.listeners.delete(listener);
      if (watch.listeners.size === 0 && this.watches.get(ref.batchId) === watch) {
        clearTimeout(watch.timer);
        this.watches.delete(ref.batchId);
      }
    };
  }

  private start(ref: BatchRef): Watch {
    const watch: Watch = { listeners: new Set(), timer: undefined };
    this.watches.set(ref.batchId, watch);
    void this.look(ref, watch);
    return watch;
  }

  private async look(ref: BatchRef, watch: Watch): Promise<void> {
    const end = await this.read(ref);
    if (end !== undefined) {
      watch.listeners.forEach((listener) => {
        listener(end);
      });
    }
    if (this.watches.get(ref.batchId) === watch) {
      watch.timer = setTimeout(() => void this.look(ref, watch), intervalMs);
    }
  }

  private async read(ref: BatchRef): Promise<BatchEnd | undefined> {
    try {
      return await this.batches.getEnd(ref);
    } catch (error) {
      this.logger.warn({ batch: ref.batchId, err: error }, 'cannot look for the end of a batch');
      return undefined;
    }
  }
}
