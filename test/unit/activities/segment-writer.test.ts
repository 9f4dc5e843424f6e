import { SegmentWriter } from '../../../activities/segment-writer';
import { segmentAgeMsMax, segmentBytesMax } from '../../../src/domain/limits';
import type { SegmentLine } from '../../../src/ledger/segment';
import { ByteBudget } from '../../../src/upstream/byte-budget';
import { fakeTimers, settle } from '../../support/eventually';
import { aSegmentLine } from '../../support/ledgers';

const budget = new ByteBudget(1_000_000);
let committed: number[][];
let failures: unknown[];
/** Ends the commit under way; commits that nobody holds end at once. */
let finishCommit: ((error?: Error) => void) | undefined;
let isHolding: boolean;
let writer: SegmentWriter;

beforeEach(() => {
  fakeTimers();
  committed = [];
  failures = [];
  isHolding = false;
  finishCommit = undefined;
  writer = new SegmentWriter({
    budget,
    commit: async (lines: readonly SegmentLine[]) => {
      committed.push(lines.map(({ ordinal }) => ordinal));
      if (isHolding) {
        await new Promise<void>((resolve, reject) => {
          finishCommit = (error) => {
            if (error === undefined) {
              resolve();
            } else {
              reject(error);
            }
          };
        });
      }
    },
    onFailure: (error) => failures.push(error),
  });
});

afterEach(async () => {
  await writer.close();
  jest.useRealTimers();
  expect(budget.bytesHeld).toBe(0);
});

const large = (ordinal: number): SegmentLine =>
  aSegmentLine(ordinal, { text: 'x'.repeat(segmentBytesMax) });

test('lines are committed together when the first of them is a second old', async () => {
  writer.add(aSegmentLine(0));
  await jest.advanceTimersByTimeAsync(segmentAgeMsMax - 1);
  writer.add(aSegmentLine(1));
  expect(committed).toEqual([]);
  await jest.advanceTimersByTimeAsync(1);
  expect(committed).toEqual([[0, 1]]);
});

test('lines are committed at once when they are large', () => {
  writer.add(aSegmentLine(0));
  writer.add(large(1));
  expect(committed).toEqual([[0, 1]]);
});

test('large lines that have gathered are committed a few at a time', async () => {
  isHolding = true;
  for (let ordinal = 0; ordinal < 8; ordinal++) {
    writer.add(large(ordinal));
  }
  isHolding = false;
  finishCommit?.();
  await writer.flush();
  expect(committed).toEqual([[0], [1, 2, 3], [4, 5, 6], [7]]);
});

test('nothing is committed when nothing was added', async () => {
  await writer.flush();
  await jest.advanceTimersByTimeAsync(5 * segmentAgeMsMax);
  expect(committed).toEqual([]);
});

test('commits follow one another; what finishes meanwhile waits', async () => {
  isHolding = true;
  writer.add(large(0));
  writer.add(large(1));
  writer.add(aSegmentLine(2));
  await jest.advanceTimersByTimeAsync(3 * segmentAgeMsMax);
  expect(committed).toEqual([[0]]);
  isHolding = false;
  finishCommit?.();
  await settle();
  expect(committed).toEqual([[0], [1, 2]]);
});

test('a line that came during a slow commit is not forgotten after it', async () => {
  isHolding = true;
  writer.add(large(0));
  writer.add(aSegmentLine(1));
  await jest.advanceTimersByTimeAsync(10 * segmentAgeMsMax);
  isHolding = false;
  finishCommit?.();
  await settle();
  expect(committed).toEqual([[0], [1]]);
});

test('a line that came just before a commit ended waits for its own second', async () => {
  isHolding = true;
  writer.add(large(0));
  writer.add(aSegmentLine(1));
  isHolding = false;
  finishCommit?.();
  await settle();
  expect(committed).toEqual([[0]]);
  await jest.advanceTimersByTimeAsync(segmentAgeMsMax);
  expect(committed).toEqual([[0], [1]]);
});

test('flushing waits for every line, also for those added during a commit', async () => {
  isHolding = true;
  writer.add(large(0));
  let isFlushed = false;
  const flushed = writer.flush().then(() => {
    isFlushed = true;
  });
  writer.add(aSegmentLine(1));
  await settle();
  expect(isFlushed).toBe(false);
  isHolding = false;
  finishCommit?.();
  await flushed;
  expect(committed).toEqual([[0], [1]]);
});

test('the bytes of lines count until they are committed', async () => {
  isHolding = true;
  writer.add(aSegmentLine(0, { text: 'abc' }));
  const flushed = writer.flush();
  writer.add(aSegmentLine(1, { text: 'defgh' }));
  expect(budget.bytesHeld).toBe(10);
  isHolding = false;
  finishCommit?.();
  await flushed;
  expect(budget.bytesHeld).toBe(0);
});

test('a commit that fails stops the writer and is reported once', async () => {
  isHolding = true;
  const error = new Error('the store is down');
  writer.add(large(0));
  writer.add(aSegmentLine(1));
  finishCommit?.(error);
  await settle();
  expect(failures).toEqual([error]);
  writer.add(large(2));
  await jest.advanceTimersByTimeAsync(2 * segmentAgeMsMax);
  await expect(writer.flush()).rejects.toBe(error);
  await expect(writer.flush()).rejects.toBe(error);
  expect([committed, failures]).toEqual([[[0]], [error]]);
});

test('closing gives back the bytes of what was not committed', async () => {
  writer.add(aSegmentLine(0));
  writer.add(aSegmentLine(1));
  await writer.close();
  expect(budget.bytesHeld).toBe(0);
  await jest.advanceTimersByTimeAsync(5 * segmentAgeMsMax);
  expect(committed).toEqual([]);
});

test('closing during a commit waits for it', async () => {
  isHolding = true;
  writer.add(large(0));
  writer.add(aSegmentLine(1));
  const closed = writer.close();
  finishCommit?.();
  await closed;
  expect(budget.bytesHeld).toBe(0);
  expect(committed).toEqual([[0]]);
});
