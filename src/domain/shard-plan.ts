/**
 * The shard plan: contiguous byte ranges of the input file, cut at line boundaries.
 *
 * The number of lines is known only after the pass that also has to find the boundaries, so the
 * planner remembers one candidate boundary every `checkpointLines` lines and chooses among them at
 * the end. Five million lines are some twenty thousand candidates.
 */
import { shardCountMax, shardLinesTarget } from './limits';

/** One shard: request lines `firstOrdinal` to `firstOrdinal + lineCount - 1`. */
export interface Shard {
  readonly index: number;
  readonly firstOrdinal: number;
  readonly lineCount: number;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Content of the plan object of a batch. */
export interface ShardPlan {
  readonly total: number;
  /** Null when the lines name several. */
  readonly model: string | null;
  readonly shards: readonly Shard[];
}

/** A power of two. */
const checkpointLines = 256;

export class ShardPlanner {
  private readonly boundaries: number[] = [];
  private total = 0;

  /** Adds the next request line, which starts `byteOffset` bytes into the file. */
  addLine(byteOffset: number): void {
    this.addLines(1, () => byteOffset);
  }

  /** Adds several lines; asks for few of their byte offsets. */
  addLines(count: number, byteOffsetOf: (index: number) => number): void {
    const linesToCheckpoint = -this.total & (checkpointLines - 1);
    for (let index = linesToCheckpoint; index < count; index += checkpointLines) {
      this.boundaries.push(byteOffsetOf(index));
    }
    this.total += count;
  }

  get lineCount(): number {
    return this.total;
  }

  /**
   * The shards of everything added: clamp(lines / 5,000, 1, 256) of them, as equal as whole
   * checkpoints allow, covering every line once. None when no line was added.
   */
  plan(fileBytes: number): Shard[] {
    const wanted = Math.min(shardCountMax, Math.max(1, Math.ceil(this.total / shardLinesTarget)));
    const count = Math.min(wanted, this.boundaries.length);
    return Array.from({ length: count }, (_, index) => this.shard(index, count, fileBytes));
  }

  private shard(index: number, count: number, fileBytes: number): Shard {
    const from = this.checkpointOf(index, count);
    const to = this.checkpointOf(index + 1, count);
    const firstOrdinal = from * checkpointLines;
    const byteOffset = this.boundaries[from] ?? fileBytes;
    return {
      index,
      firstOrdinal,
      lineCount: Math.min(to * checkpointLines, this.total) - firstOrdinal,
      byteOffset,
      byteLength: (this.boundaries[to] ?? fileBytes) - byteOffset,
    };
  }

  private checkpointOf(index: number, count: number): number {
    return Math.floor((index * this.boundaries.length) / count);
  }
}
