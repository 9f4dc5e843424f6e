/**
 * What an inference server with a prefix cache has to compute, as vLLM keeps it: prompts are cut into
 * blocks, a block is known by everything up to its end, and those that were not used for longest are
 * forgotten first.
 */
/** 16 tokens of four bytes. */
const blockBytes = 64;

export class PrefixCache {
  /** Blocks that were ever seen, by the number of the block before them and their own text. */
  private readonly tree = new Map<string, number>();
  /** Numbers of blocks that are kept, in the order of their last use. */
  private readonly kept = new Set<number>();
  private prefilled = 0;

  constructor(private readonly bytesMax: number) {}

  /** Of all prompts so far, without what was kept of others. */
  get prefilledBytes(): number {
    return this.prefilled * blockBytes;
  }

  /** Of all prompts so far, with what several begin with once: an endless cache would need no more. */
  get treeBytes(): number {
    return this.tree.size * blockBytes;
  }

  add(prompt: string): void {
    let block = 0;
    let isKept = true;
    for (let at = 0; at < prompt.length; at += blockBytes) {
      block = this.numberOf(`${block} ${prompt.slice(at, at + blockBytes)}`);
      // Without the block before it, one is of no use.
      isKept &&= this.kept.has(block);
      this.prefilled += isKept ? 0 : 1;
      this.use(block);
    }
  }

  private numberOf(key: string): number {
    const number = this.tree.get(key) ?? this.tree.size + 1;
    this.tree.set(key, number);
    return number;
  }

  private use(block: number): void {
    this.kept.delete(block);
    this.kept.add(block);
    if (this.kept.size * blockBytes > this.bytesMax) {
      const [oldest = block] = this.kept;
      this.kept.delete(oldest);
    }
  }
}
