import { setImmediate as nextTurn } from 'node:timers/promises';
import { countLargeRead } from '../../../src/upstream/large-reads';

/** A connection that has chunks of a megabyte waiting, and reads them while it is not paused. */
class Source {
  read = 0;
  private isPaused = false;

  constructor(private readonly chunks: number) {}

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    while (this.mayRead()) {
      this.read += 1;
      countLargeRead(this, 1_000_000);
    }
  }

  private mayRead(): boolean {
    return !this.isPaused && this.read < this.chunks;
  }
}

test('in one turn large answers read a few chunks together, and each goes on', async () => {
  const sources = Array.from({ length: 20 }, () => new Source(4));
  let before = 0;
  let largest = 0;
  for (const source of sources.slice(0, 3)) {
    source.resume();
  }
  for (let turn = 0; turn < 100; turn++) {
    await nextTurn();
    const read = sources.reduce((sum, source) => sum + source.read, 0);
    largest = Math.max(largest, turn === 0 ? 0 : read - before);
    before = read;
    sources[turn + 3]?.resume();
  }
  expect(sources.map(({ read }) => read)).toEqual(sources.map(() => 4));
  // Those that it was too late to stop, and one that begins.
  expect(largest).toBeLessThanOrEqual(4);
});
