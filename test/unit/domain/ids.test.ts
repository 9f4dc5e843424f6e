import fc from 'fast-check';
import { holds } from '../../support/holds';
import {
  firstBatchIdBy,
  isBatchId,
  isFileId,
  makeBatchId,
  makeFileId,
  makeRequestId,
  shardWorkflowId,
} from '../../../src/domain/ids';
import { aBatchId } from '../../support/batches';

const nowMs = 1_700_000_000_000;
const random = '0123456789abcdef0123';

test('ids have the shapes that clients know', () => {
  expect(makeBatchId(nowMs, random)).toMatch(/^batch_[0-9a-f]{32}$/);
  expect(makeFileId(nowMs, random)).toMatch(/^file-[0-9a-f]{32}$/);
  expect(makeRequestId(aBatchId(), 41)).toMatch(/^batch_req_[0-9a-f]{32}$/);
});

test('of more random digits than an id holds, the first are used', () => {
  expect(makeBatchId(nowMs, `${random}ffff`)).toBe(makeBatchId(nowMs, random));
});

test('ids in the order of their text are newest first', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  const property = fc.property(time, time, (a, b) => {
    fc.pre(a !== b);
    expect(makeBatchId(a, random) < makeBatchId(b, random)).toBe(a > b);
    expect(makeFileId(a, random) < makeFileId(b, random)).toBe(a > b);
  });
  holds(property);
});

test('the first id by a time has behind it all that were made by then, and no others', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 2 });
  const randomHex = fc.stringMatching(/^[0-9a-f]{20}$/);
  const property = fc.property(time, time, randomHex, (by, madeAt, digits) => {
    for (const made of [madeAt, by, by + 1]) {
      expect(makeBatchId(made, digits) >= firstBatchIdBy(by)).toBe(made <= by);
    }
  });
  holds(property);
});

test('only ids of ours are taken for ids', () => {
  const batchId = makeBatchId(nowMs, random);
  const fileId = makeFileId(nowMs, random);
  expect(
    [batchId, fileId, `${batchId}\n`, `x${batchId}`, batchId.toUpperCase(), ''].map(isBatchId),
  ).toEqual([true, false, false, false, false, false]);
  expect([fileId, batchId, `${fileId}/`, 'file-', 'file-../../x', ''].map(isFileId)).toEqual([
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('the request id depends on batch and ordinal alone', () => {
  const ordinals = [0, 1, 255, 4_999_999];
  const ids = ordinals.map((ordinal) => makeRequestId(aBatchId(), ordinal));
  expect(new Set(ids).size).toBe(ordinals.length);
  expect(ids).toEqual(ordinals.map((ordinal) => makeRequestId(aBatchId(), ordinal)));
});

test("a shard's workflow id sorts below its batch, in the order of the shards", () => {
  const ids = [2, 10, 255].map((index) => shardWorkflowId('batch_a', index));
  expect(ids).toEqual(['batch_a/shard-00002', 'batch_a/shard-00010', 'batch_a/shard-00255']);
});
