import fc from 'fast-check';
import { holds } from '../../support/holds';
import { batchLinesMax, shardCountMax, shardLinesTarget } from '../../../src/domain/limits';
import { ShardPlanner, type Shard } from '../../../src/domain/shard-plan';

/** Lines of ten bytes each, behind `from` bytes of white space. */
function planOf(lineCount: number, from = 0): Shard[] {
  const planner = new ShardPlanner();
  for (let line = 0; line < lineCount; line++) {
    planner.addLine(from + line * 10);
  }
  return planner.plan(from + lineCount * 10);
}

function check(lineCount: number, shardCount: number): void {
  expect(planOf(lineCount)).toHaveLength(shardCount);
}

test('there is a shard for every 5,000 lines, at least one and at most 256', () => {
  check(1, 1);
  check(shardLinesTarget, 1);
  check(shardLinesTarget + 1, 2);
  check(50_000, 10);
  check(shardCountMax * shardLinesTarget, shardCountMax);
  check(shardCountMax * shardLinesTarget + 1, shardCountMax);
});

test('a file without a line has no shard', () => {
  check(0, 0);
});

test('the largest batch has 256 shards that differ by one checkpoint at most', () => {
  const shards = planOf(batchLinesMax);
  const counts = shards.slice(0, -1).map(({ lineCount }) => lineCount);
  expect(shards).toHaveLength(shardCountMax);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(256);
  expect(Math.max(...counts)).toBeLessThanOrEqual(77 * 256);
});

test('the ranges of any file cover each of its lines and bytes once, in order', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 40_000 }),
    fc.nat({ max: 100 }),
    (lineCount, from) => {
      const shards = planOf(lineCount, from);
      let ordinal = 0;
      let offset = from;
      shards.forEach((shard, index) => {
        expect(shard.index).toBe(index);
        expect(shard.firstOrdinal).toBe(ordinal);
        expect(shard.byteOffset).toBe(offset);
        expect(shard.byteLength).toBe(shard.lineCount * 10);
        expect(shard.lineCount).toBeGreaterThan(0);
        ordinal += shard.lineCount;
        offset += shard.byteLength;
      });
      expect(ordinal).toBe(lineCount);
      expect(offset).toBe(from + lineCount * 10);
    },
  );
  holds(property, { numRuns: 60 });
});

test('lines may be added many at a time', () => {
  const property = fc.property(fc.array(fc.nat({ max: 1_000 }), { maxLength: 40 }), (counts) => {
    const planner = new ShardPlanner();
    let lineCount = 0;
    for (const count of counts) {
      const first = lineCount;
      planner.addLines(count, (index) => (first + index) * 10);
      lineCount += count;
    }
    expect(planner.lineCount).toBe(lineCount);
    expect(planner.plan(lineCount * 10)).toEqual(planOf(lineCount));
  });
  holds(property);
});
