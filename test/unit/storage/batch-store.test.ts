import type { BatchEnd, NewBatch } from '../../../src/domain/batch';
import { makeBatchId, makeFileId } from '../../../src/domain/ids';
import { batchKeys } from '../../../src/domain/object-keys';
import { noUsage, type Usage } from '../../../src/domain/usage';
import { BatchStore } from '../../../src/storage/batch-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { listLimitMax } from '../../../src/storage/object-store';

const now = 1_800_000_000;
const random = '0123456789abcdef0123';

function aBatch(createdAt = now): NewBatch {
  return {
    id: makeBatchId(createdAt * 1000, random),
    projectId: 'p',
    endpoint: '/v1/chat/completions',
    completionWindow: '24h',
    inputFileId: 'file-in',
    resultFileIds: { output: makeFileId(1, random), error: makeFileId(2, random) },
    outputExpiresAfterSeconds: 3_600,
    metadata: null,
    createdAt,
    expiresAt: createdAt + 86_400,
  };
}

const ref = { projectId: 'p', batchId: aBatch().id };

describe('BatchStore', () => {
  it('applies an event once, whoever else applies it at the same time', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    await batches.create(aBatch());
    const before = await batches.get(ref);
    const event = { type: 'validation_passed', at: now, total: 3, model: 'm' } as const;
    const results = await Promise.all(
      Array.from({ length: 8 }, async () => await batches.apply(ref, event)),
    );

    expect(new Set(results.map((record) => record?.status))).toEqual(new Set(['in_progress']));
    expect((await batches.get(ref))?.revision).toBe((before?.revision ?? 0) + 1);
  });

  it('does not write a record again that is already there', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    await batches.create(aBatch());
    await batches.apply(ref, { type: 'validation_passed', at: now, total: 3, model: 'm' });
    await batches.create(aBatch());

    expect((await batches.get(ref))?.status).toBe('in_progress');
  });

  it('tells everybody the same end', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    const proposals: readonly BatchEnd[] = [
      { reason: 'cancelled', at: now },
      { reason: 'expired', at: now + 1 },
      { reason: 'completed', at: now + 2 },
    ];
    const decided = await Promise.all(
      proposals.map(async (proposed) => await batches.decideEnd(ref, proposed)),
    );

    expect(proposals).toContainEqual(decided[0]);
    expect(decided).toEqual(proposals.map(() => decided[0]));
    expect(await batches.getEnd(ref)).toEqual(decided[0]);
  });

  it('counts each shard once, by its highest epoch', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    const tokens = (totalTokens: number): Usage => ({ ...noUsage, totalTokens });
    await batches.putProgress(ref, 'worker-a', { 0: [2, 10, 1, tokens(8)], 1: [1, 5, 0] });
    await batches.putProgress(ref, 'worker-b', {
      0: [1, 9, 0, tokens(7)],
      1: [3, 7, 2, tokens(4)],
    });

    expect(await batches.liveProgress(ref)).toEqual({
      counts: { completed: 17, failed: 3 },
      usage: tokens(12),
    });
  });

  it('counts what more processes have reported than one list call returns', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    for (let epoch = 1; epoch <= listLimitMax + 1; epoch++) {
      const processName = String(epoch).padStart(4, '0');
      await batches.putProgress(ref, processName, { 0: [epoch, epoch, 0] });
    }

    expect((await batches.liveProgress(ref)).counts.completed).toBe(listLimitMax + 1);
  });

  it('counts what of a damaged report can be read', async () => {
    const store = new MemoryObjectStore();
    const batches = new BatchStore(store);
    await batches.putProgress(ref, 'worker-a', { 0: [2, 10, 1] });
    const keys = batchKeys(ref.projectId, ref.batchId);
    await store.put(keys.progress('worker-b'), Buffer.from('{"1":[3,7'));
    await store.put(keys.progress('worker-c'), Buffer.from('{"1":[3,"7",2],"2":[1,5,0],"3":null}'));
    await store.put(keys.progress('worker-d'), Buffer.from('null'));

    expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 15, failed: 1 });
    expect(await batches.getProgress(ref, 'worker-b')).toEqual({});
  });

  it.each(['{"reason":"completed","at":17', '', '{"reason":"completed","at":1,"crc":5}', '[]'])(
    'takes a damaged end for a cancel: %j',
    async (text) => {
      const store = new MemoryObjectStore();
      const batches = new BatchStore(store);
      await store.put(batchKeys(ref.projectId, ref.batchId).end, Buffer.from(text));

      expect(await batches.getEnd(ref)).toMatchObject({ reason: 'cancelled' });
      expect(await batches.decideEnd(ref, { reason: 'completed', at: now })).toMatchObject({
        reason: 'cancelled',
      });
    },
  );

  it('reads an end and a plan of a version that wrote no checksums', async () => {
    const store = new MemoryObjectStore();
    const batches = new BatchStore(store);
    const { end, plan } = batchKeys(ref.projectId, ref.batchId);
    const shardPlan = { total: 0, model: null, shards: [] };
    await store.put(end, Buffer.from('{"reason":"completed","at":17}'));
    await store.put(plan, Buffer.from(JSON.stringify(shardPlan)));

    expect(await batches.getEnd(ref)).toEqual({ reason: 'completed', at: 17 });
    expect(await batches.getPlan(ref)).toEqual(shardPlan);
  });

  it('lists batches newest first, page by page', async () => {
    const batches = new BatchStore(new MemoryObjectStore());
    const created = [now, now + 1, now + 2].map(aBatch);
    await Promise.all(
      created.map(async (batch) => {
        await batches.create(batch);
      }),
    );
    const first = await batches.list('p', { limit: 2 });
    const after = first.items[1] ?? created[0]?.id;
    const second = await batches.list('p', { limit: 2, ...(after !== undefined && { after }) });

    expect(first).toEqual({ items: [created[2]?.id, created[1]?.id], hasMore: true });
    expect(second).toEqual({ items: [created[0]?.id], hasMore: false });
  });
});
