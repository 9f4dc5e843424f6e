import fc from 'fast-check';
import { holds } from '../../support/holds';
import {
  batchLinesMax,
  shardCountMax,
  shardLinesMax,
  shardLinesMin,
} from '../../../src/domain/limits';
import {
  onlyShardBytesOf,
  onlyShardPlan,
  ShardPlanner,
  type Shard,
} from '../../../src/domain/shard-plan';

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

test('a small batch has a shard for every 5,000 lines, all alike', () => {
  check(1, 1);
  check(shardLinesMin, 1);
  check(shardLinesMin + 1, 2);
  check(8 * shardLinesMin, 8);
  const counts = planOf(8 * shardLinesMin).map(({ lineCount }) => lineCount);
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(2 * 256);
});

test('the shards of a larger batch are an eighth of what is left, and 5,000 lines in the end', () => {
  const counts = planOf(200_000).map(({ lineCount }) => lineCount);
  expect(counts).toEqual(counts.toSorted((one, other) => other - one));
  expect(counts).toHaveLength(21);
  expect(counts[0]).toBeGreaterThan(20_000);
  expect(counts.slice(-8).every((count) => count <= shardLinesMin)).toBe(true);
});

test('a file without a line has no shard', () => {
  check(0, 0);
});

test('the largest batch has at most 256 shards, the largest of them first', () => {
  const shards = planOf(batchLinesMax);
  expect(shards.length).toBeLessThanOrEqual(shardCountMax);
  expect(shards[0]?.lineCount).toBeLessThan(shardLinesMax + 256);
});

test('the ranges of any file cover each of its lines and bytes once, in order', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 100_000 }),
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

test('a plan of one shard that is the whole input follows from its bytes, and no other does', () => {
  const property = fc.property(
    fc.integer({ min: 1, max: 2 * shardLinesMin }),
    fc.nat({ max: 1 }),
    fc.option(fc.string()),
    (total, from, model) => {
      const plan = { total, model, shards: planOf(total, from) };
      const bytes = onlyShardBytesOf(plan);
      const isWhole = total <= shardLinesMin && from === 0;
      expect(bytes === undefined ? undefined : onlyShardPlan({ total, model }, bytes)).toEqual(
        isWhole ? plan : undefined,
      );
    },
  );
  holds(property);
});
