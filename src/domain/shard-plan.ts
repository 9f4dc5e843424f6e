/**
 * The shard plan: contiguous byte ranges of the input file, cut at line boundaries.
 *
 * The number of lines is known only after the pass that also has to find the boundaries, so the
 * planner remembers one candidate boundary every `checkpointLines` lines and chooses among them at
 * the end. Five million lines are some twenty thousand candidates.
 *
 * Shards grow smaller towards the end of the file (guided self-scheduling): each is a share of what is
 * left, so that a large batch has few of them, and no worker is alone with a large one while others
 * have nothing to do any more.
 */
import { shardLinesMax, shardLinesMin, shardsInParallelMax } from './limits';

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

/** The plan of an input all bytes of which are one shard. */
export function onlyShardPlan(
  { total, model }: Pick<ShardPlan, 'total' | 'model'>,
  byteLength: number,
): ShardPlan {
  const shard = { index: 0, firstOrdinal: 0, lineCount: total, byteOffset: 0, byteLength };
  return { total, model, shards: [shard] };
}

/** The bytes of such an input; `undefined` of any other, also when it begins with a byte order mark. */
export function onlyShardBytesOf({ shards }: ShardPlan): number | undefined {
  const [first, ...others] = shards;
  return first?.byteOffset === 0 && others.length === 0 ? first.byteLength : undefined;
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
   * The shards of everything added, covering every line once; none when no line was added. They are
   * alike in a batch of up to 40,000 lines, and 256 at most.
   */
  plan(fileBytes: number): Shard[] {
    const shards: Shard[] = [];
    for (let from = 0; from < this.boundaries.length;) {
      const to = from + this.checkpointsOfNext(from);
      shards.push(this.shard(shards.length, { from, to }, fileBytes));
      from = to;
    }
    return shards;
  }

  private checkpointsOfNext(from: number): number {
    const linesLeft = this.total - from * checkpointLines;
    const shares = Math.max(
      Math.ceil(linesLeft / shardLinesMax),
      Math.min(shardsInParallelMax, Math.ceil(linesLeft / shardLinesMin)),
    );
    return Math.ceil((this.boundaries.length - from) / shares);
  }

  private shard(
    index: number,
    { from, to }: { readonly from: number; readonly to: number },
    fileBytes: number,
  ): Shard {
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
}
