import { makePartId, makeUploadId } from '../../../src/domain/ids';
import { batchKeys, fileKeys, openBatchKey, uploadKeys } from '../../../src/domain/object-keys';
import { aBatchId, aFileId, projectId } from '../../support/batches';

test('everything of a project lies below its prefix', () => {
  const batch = batchKeys(projectId, aBatchId());
  const file = fileKeys(projectId, aFileId());
  for (const key of [batch.record, batch.end, batch.plan, batch.errors, batch.progress('p')]) {
    expect(key).toMatch(/^projects\/default\/batches\/batch_[0-9a-f]{32}\/[^/]/);
  }
  for (const key of [file.record, file.content, file.use(aBatchId())]) {
    expect(key).toMatch(/^projects\/default\/files\/file-[0-9a-f]{32}\/[^/]/);
  }
  const upload = uploadKeys(projectId, makeUploadId(1, 'a'.repeat(20)));
  for (const key of [upload.record, upload.part(makePartId(1, 'a'.repeat(20)))]) {
    expect(key).toMatch(/^projects\/default\/uploads\/upload_[0-9a-f]{32}\/[^/]/);
  }
  expect(openBatchKey(projectId, aBatchId())).toBe(`open/default/${aBatchId()}`);
});

test("epochs and segments are in the store's order what they are in number", () => {
  const shard = batchKeys(projectId, aBatchId()).shard(3);
  const numbers = [1, 9, 10, 99, 100, 12_345];
  const epochKey = (epoch: number): string => shard.epoch(epoch);
  const segmentKey = (sequence: number): string => shard.segment(2, sequence);
  for (const keyOf of [epochKey, segmentKey]) {
    const keys = numbers.map(keyOf);
    expect(keys.toSorted()).toEqual(keys);
  }
});

test('the segments of one epoch share a prefix with nothing else', () => {
  const shard = batchKeys(projectId, aBatchId()).shard(3);
  const prefix = shard.segmentsOf(1);
  expect(shard.segment(1, 0).startsWith(prefix)).toBe(true);
  for (const key of [shard.segment(11, 0), shard.segment(10, 0), shard.compacted(1)]) {
    expect(key.startsWith(prefix)).toBe(false);
  }
});

test('no shard shares a key with another', () => {
  const batch = batchKeys(projectId, aBatchId());
  const keysOf = (index: number): string[] => {
    const shard = batch.shard(index);
    return [
      shard.epoch(1),
      shard.segment(1, 0),
      shard.compacted(1),
      shard.sealedOutput(1),
      shard.sealedErrors(1),
    ];
  };
  expect(new Set([...keysOf(0), ...keysOf(1), ...keysOf(10)]).size).toBe(15);
});
