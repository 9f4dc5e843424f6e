/**
 * An inference server as a queueing model, in simulated time and without sockets: so many requests
 * are worked on at a time, so many more wait, and others are refused at once. The more are worked on,
 * the longer each takes, as in a server that batches.
 */
import type { Clock } from '../../../src/upstream/clock';
import { Heap } from './heap';

export interface QueueingServerOptions {
  readonly clock: Clock;
  /** Slots from the start on; {@link QueueingServer.slots} changes them. */
  readonly slots: number;
  /** Requests that wait for a slot at most. */
  readonly queueMax: number;
  /** Milliseconds for a unit of work when that many requests are worked on. */
  unitMs(running: number): number;
}

interface Job {
  readonly work: number;
  readonly onDone: () => void;
}

interface RunningJob extends Job {
  /** What the server has done for each of its requests, when this one is done. */
  readonly doneAt: number;
}

export class QueueingServer {
  /** Work done so far, of requests that are done. */
  workDone = 0;
  accepted = 0;
  refused = 0;
  private slotCount: number;
  private readonly queue: Job[] = [];
  private readonly running = new Heap<RunningJob>((job) => job.doneAt);
  /** What has been done so far for a request that was there from the start on. */
  private progress = 0;
  private progressAt = 0;
  private cancel: (() => void) | undefined;

  constructor(private readonly options: QueueingServerOptions) {
    this.slotCount = options.slots;
  }

  get runningCount(): number {
    return this.running.size;
  }

  get waitingCount(): number {
    return this.queue.length;
  }

  /** Requests above fewer slots than before are finished. */
  set slots(count: number) {
    this.slotCount = count;
    this.update();
  }

  /** Returns whether the request is taken; then `onDone` follows. */
  accept(work: number, onDone: () => void): boolean {
    const isFull = this.running.size >= this.slotCount;
    if (isFull && this.queue.length >= this.options.queueMax) {
      this.refused += 1;
      return false;
    }
    this.accepted += 1;
    this.queue.push({ work, onDone });
    this.update();
    return true;
  }

  private readonly update = (): void => {
    this.advance();
    const done: Job[] = [];
    for (let job = this.running.first; job !== undefined; job = this.running.first) {
      if (job.doneAt > this.progress + 1e-6) {
        break;
      }
      this.running.removeFirst();
      this.workDone += job.work;
      done.push(job);
    }
    while (this.queue.length > 0 && this.running.size < this.slotCount) {
      const job = this.queue.shift();
      if (job !== undefined) {
        this.running.add({ ...job, doneAt: this.progress + job.work });
      }
    }
    this.plan();
    for (const { onDone } of done) {
      onDone();
    }
  };

  private advance(): void {
    const now = this.options.clock.now();
    this.progress += (now - this.progressAt) / this.options.unitMs(this.running.size);
    this.progressAt = now;
  }

  private plan(): void {
    this.cancel?.();
    const next = this.running.first;
    if (next !== undefined) {
      const leftMs = (next.doneAt - this.progress) * this.options.unitMs(this.running.size);
      this.cancel = this.options.clock.after(leftMs, this.update);
    }
  }
}
