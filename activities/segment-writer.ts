/**
 * Gathers finished lines and commits them as segments: every second or 2 MiB, whichever is first.
 *
 * Commits follow one another; lines that finish meanwhile wait in memory, counted by the byte
 * budget, which holds back new requests when the store is slow. A commit that fails for good stops
 * the writer: the slice ends with that error, and what was not committed is asked again.
 */
import { commitMsMax, segmentAgeMsMax, segmentBytesMax } from '../src/domain/limits';
import { lineBytes, type SegmentLine } from '../src/ledger/segment';
import type { ByteBudget } from '../src/upstream/byte-budget';

/** Of a commit, unless one line is larger. */
const commitBytesMax = 4 * segmentBytesMax;

export interface SegmentWriterOptions {
  readonly commit: (lines: readonly SegmentLine[]) => Promise<void>;
  readonly budget: ByteBudget;
  /** Called once, when a commit has failed for good. */
  readonly onFailure: (error: unknown) => void;
}

export class SegmentWriter {
  private lines: SegmentLine[] = [];
  private bytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private committing: Promise<void> | undefined;
  private failure: { readonly error: unknown } | undefined;
  private isBehind = false;
  private hasCommitted = false;

  constructor(private readonly options: SegmentWriterOptions) {}

  /** Everything added is durable. */
  get isEmpty(): boolean {
    return this.lines.length === 0 && this.committing === undefined;
  }

  /** The store takes its time: what is asked now would wait in memory, to be lost with the process. */
  get isLate(): boolean {
    return this.isBehind;
  }

  add(line: SegmentLine): void {
    const bytes = lineBytes(line);
    this.lines.push(line);
    this.bytes += bytes;
    this.options.budget.add(bytes);
    if (this.bytes >= segmentBytesMax) {
      this.commitSoon();
    } else {
      this.timer ??= setTimeout(() => {
        this.commitSoon();
      }, segmentAgeMsMax);
    }
  }

  /**
   * Resolves when everything added so far is durable.
   *
   * @throws what a commit threw.
   */
  async flush(): Promise<void> {
    while (this.committing !== undefined || this.lines.length > 0) {
      this.commitSoon();
      await this.committing;
      this.assertWorking();
    }
    this.assertWorking();
  }

  /** Everything added, if nothing of it is committed or being committed: it is the caller's then. */
  takeBack(): readonly SegmentLine[] | undefined {
    if (this.hasCommitted) {
      return undefined;
    }
    clearTimeout(this.timer);
    this.timer = undefined;
    return this.takeAll();
  }

  /** Forgets what is not being committed, and waits for what is. No line may follow. */
  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.takeAll();
    await this.committing;
  }

  private assertWorking(): void {
    if (this.failure !== undefined) {
      throw this.failure.error;
    }
  }

  private commitSoon(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.lines.length > 0 && this.failure === undefined) {
      this.committing ??= this.commit();
    }
  }

  private takeAll(): readonly SegmentLine[] {
    const { lines } = this;
    this.options.budget.remove(this.bytes);
    this.lines = [];
    this.bytes = 0;
    return lines;
  }

  private async commit(): Promise<void> {
    this.hasCommitted = true;
    const { lines, bytes } = this.takeLines();
    const timer = setTimeout(() => {
      this.isBehind = true;
    }, commitMsMax);
    try {
      await this.options.commit(lines);
    } catch (error) {
      this.failure = { error };
      this.options.onFailure(error);
    } finally {
      clearTimeout(timer);
      this.isBehind = false;
      this.options.budget.remove(bytes);
      this.committing = undefined;
    }
    // Lines were left, or the timer of those that came meanwhile has found this commit and given up.
    if (this.bytes >= segmentBytesMax || this.timer === undefined) {
      this.commitSoon();
    }
  }

  /** The oldest: a segment of everything that large lines come to would be encoded for a second. */
  private takeLines(): { readonly lines: readonly SegmentLine[]; readonly bytes: number } {
    let count = 0;
    let bytes = 0;
    for (const line of this.lines) {
      const size = lineBytes(line);
      if (count > 0 && bytes + size > commitBytesMax) {
        break;
      }
      count += 1;
      bytes += size;
    }
    const lines = this.lines.splice(0, count);
    this.bytes -= bytes;
    return { lines, bytes };
  }
}
