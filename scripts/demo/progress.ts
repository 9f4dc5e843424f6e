/** Shows how far a batch is: a bar on a terminal, a line now and then anywhere else. */
import { SingleBar } from 'cli-progress';
import type { Batch } from 'openai/resources';
import { say } from '../cli/run-program';

export interface Progress {
  update(batch: Batch): void;
  /** Leaves the terminal in order. */
  stop(): void;
}

export function showProgress(): Progress {
  return process.stderr.isTTY ? new ProgressBar() : new ProgressLines();
}

class ProgressBar implements Progress {
  private readonly bar = new SingleBar({
    format:
      '  {bar} {percentage}%  {value}/{total} requests, {failed} failed  {status}  {duration_formatted}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 30,
    hideCursor: true,
    // Ctrl-C is ours.
    gracefulExit: false,
    stream: process.stderr,
  });

  constructor() {
    this.bar.start(1, 0, { failed: 0, status: 'created' });
  }

  update(batch: Batch): void {
    const { total, completed, failed } = countsOf(batch);
    this.bar.setTotal(Math.max(1, total));
    this.bar.update(completed + failed, { failed, status: batch.status });
  }

  stop(): void {
    this.bar.stop();
  }
}

class ProgressLines implements Progress {
  private readonly started = performance.now();
  private lastStatus = '';
  private lastAt = 0;

  update(batch: Batch): void {
    const now = performance.now();
    if (batch.status === this.lastStatus && now - this.lastAt < 5_000) {
      return;
    }
    this.lastStatus = batch.status;
    this.lastAt = now;
    const { total, completed, failed } = countsOf(batch);
    const seconds = ((now - this.started) / 1000).toFixed(1);
    say(
      `  ${seconds} s  ${batch.status}  ${completed + failed}/${total} requests, ${failed} failed`,
    );
  }

  stop(): void {
    return;
  }
}

function countsOf(batch: Batch): { total: number; completed: number; failed: number } {
  return batch.request_counts ?? { total: 0, completed: 0, failed: 0 };
}
