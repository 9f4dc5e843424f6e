import * as limits from '../../../src/domain/limits';

const u32Max = 2 ** 32 - 1;
const u48Max = 2 ** 48 - 1;

test('lengths and offsets of result lines fit the fields of a segment', () => {
  // An escaped character of a custom id takes six bytes, one of a failure's message as many.
  const resultLineBytesMax = limits.answerBytesMax + 6 * limits.customIdLengthMax + 16_384;
  const shardLinesMax = 256 + limits.shardLinesMax;
  expect(resultLineBytesMax).toBeLessThan(u32Max);
  expect(shardLinesMax * resultLineBytesMax).toBeLessThan(u48Max);
  expect(limits.batchLinesMax).toBeLessThan(u32Max);
});

test('the shards of the largest batch are a bounded number of bounded size', () => {
  expect(limits.shardCountMax * limits.shardLinesMax).toBeGreaterThan(limits.batchLinesMax);
  expect(limits.shardsInParallelMax).toBeLessThanOrEqual(limits.shardCountMax);
});

test('several segments make one that is not compacted again', () => {
  expect(limits.segmentBytesMax).toBeLessThan(limits.compactedBytesMin);
  expect(limits.segmentCountMax * limits.segmentBytesMax).toBeGreaterThan(limits.compactedBytesMin);
});

test('parts lie within what S3 takes, and the largest file fits one upload', () => {
  expect(limits.partBytesMin).toBe(5 * 1024 ** 2);
  expect(limits.partBytes).toBeGreaterThanOrEqual(3 * limits.partBytesMin);
  expect(limits.partCopyBytesMax).toBeGreaterThanOrEqual(2 * limits.partBytesMin);
  expect(limits.partCopyBytesMax).toBeLessThanOrEqual(5 * 1024 ** 3);
  expect(limits.partCountMax).toBe(10_000);
  expect(limits.partBytes * limits.partCountMax).toBeGreaterThanOrEqual(limits.fileBytesMax);
});

test('a file of the largest number of lines fits the largest file', () => {
  expect(limits.lineBytesMax).toBeLessThan(limits.fileBytesMax);
  expect(limits.batchLinesMax * 500).toBeLessThan(limits.fileBytesMax);
});

test('defaults lie within their limits', () => {
  const { expiresAfterSecondsDefault: seconds } = limits;
  expect(seconds).toBeGreaterThanOrEqual(limits.expiresAfterSecondsMin);
  expect(seconds).toBeLessThanOrEqual(limits.expiresAfterSecondsMax);
  expect(limits.batchListLimitDefault).toBeLessThanOrEqual(limits.batchListLimitMax);
});
