import { segmentCountMax } from '../../../src/domain/limits';
import { readSeal, ShardTakenOver, type ShardLedger } from '../../../src/ledger/shard-ledger';
import { StoreFault } from '../../../src/storage/object-store';
import {
  FaultyObjectStore,
  keysBelow,
  type Fate,
  type StoreCall,
} from '../../support/faulty-object-store';
import {
  aSegmentLine,
  openLedger,
  sealedLines,
  shardKeys,
  takeShardOver,
} from '../../support/ledgers';

let store: FaultyObjectStore;

beforeEach(() => {
  store = new FaultyObjectStore();
});

function answered(ledger: ShardLedger): number[] {
  return [...ledger.answeredOrdinals()].sort((a, b) => a - b);
}

/** Commits lines one segment each. */
async function commitEach(ledger: ShardLedger, ordinals: readonly number[]): Promise<void> {
  for (const ordinal of ordinals) {
    await ledger.commit([aSegmentLine(ordinal)]);
  }
}

async function sealedBy(ledger: ShardLedger): ReturnType<typeof sealedLines> {
  const seal = await ledger.seal();
  if (seal === undefined) {
    throw new Error('The shard is not sealed');
  }
  return await sealedLines(store, seal);
}

async function segmentKeys(): Promise<string[]> {
  return await keysBelow(store, shardKeys.segmentsPrefix);
}

const isNewEpoch = ({ name, key }: StoreCall): boolean =>
  name === 'put' && key.startsWith(shardKeys.epochsPrefix);

describe('a ledger', () => {
  it('of a shard that nobody has touched has epoch 1 and no answers', async () => {
    const ledger = await openLedger(store);
    expect(ledger.epoch).toBe(1);
    expect(ledger.lineCount).toBe(0);
    expect(answered(ledger)).toEqual([]);
    expect(await readSeal({ store, keys: shardKeys })).toBeUndefined();
  });

  it('has what was committed, for its owner and for the next one', async () => {
    const first = await openLedger(store);
    await first.commit([aSegmentLine(4), aSegmentLine(2, { outcome: 'failed' })]);
    await first.commit([aSegmentLine(3, { outcome: 'cancelled' })]);
    const second = await openLedger(store);
    for (const ledger of [first, second]) {
      expect(answered(ledger)).toEqual([2, 3, 4]);
      expect(ledger.counts).toEqual({ completed: 1, failed: 1 });
      expect(ledger.lineCount).toBe(3);
    }
    expect(second.epoch).toBe(2);
  });

  it('is found with more segments than one list call returns', async () => {
    const first = await openLedger(store);
    await commitEach(
      first,
      Array.from({ length: 1_005 }, (_, ordinal) => ordinal),
    );
    expect((await openLedger(store)).lineCount).toBe(1_005);
  });

  it('has a segment with more lines than one read of its tail holds', async () => {
    const first = await openLedger(store);
    await first.commit(Array.from({ length: 3_000 }, (_, ordinal) => aSegmentLine(ordinal)));
    expect((await openLedger(store)).answeredOrdinals().size).toBe(3_000);
  });

  it('lacks what a crash cut off before it was stored', async () => {
    const first = await openLedger(store);
    await first.commit([aSegmentLine(0)]);
    store.fateOf = () => 'fails';
    await expect(first.commit([aSegmentLine(1)])).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    expect(answered(await openLedger(store))).toEqual([0]);
  });

  it('has what was stored although the writer was told that it failed', async () => {
    const first = await openLedger(store);
    store.fateOf = () => 'answer_lost';
    await expect(first.commit([aSegmentLine(0)])).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    expect(answered(await openLedger(store))).toEqual([0]);
  });
});

describe('taking over', () => {
  it('makes what the former owner writes from then on count for nothing', async () => {
    const former = await openLedger(store);
    await former.commit([aSegmentLine(0)]);
    const owner = await openLedger(store);
    await former.commit([aSegmentLine(1, { text: 'of a zombie' })]);
    await owner.commit([aSegmentLine(1)]);
    const next = await openLedger(store, { lineCount: 2 });
    expect(answered(next)).toEqual([0, 1]);
    const seal = await next.seal();
    expect(seal && (await sealedLines(store, seal)).output).toEqual(['line 0', 'line 1']);
  });

  it('keeps the former owner from compacting and sealing', async () => {
    const former = await openLedger(store, { lineCount: 2 });
    await commitEach(former, [0, 1]);
    const owner = await openLedger(store);
    await expect(former.compact(2)).rejects.toThrow(ShardTakenOver);
    await expect(former.seal()).rejects.toThrow(ShardTakenOver);
    expect(answered(await openLedger(store))).toEqual([0, 1]);
    expect(owner.epoch).toBe(2);
  });

  it('succeeds for both of two that race, one epoch apart', async () => {
    await commitEach(await openLedger(store), [0, 1]);
    const ledgers = await Promise.all([openLedger(store), openLedger(store), openLedger(store)]);
    expect(ledgers.map(({ epoch }) => epoch).sort()).toEqual([2, 3, 4]);
    expect(ledgers.map(answered)).toEqual([
      [0, 1],
      [0, 1],
      [0, 1],
    ]);
  });

  it('starts again when the owner compacts the segments away that it is reading', async () => {
    const owner = await openLedger(store);
    await commitEach(owner, [0, 1, 2]);
    const reader = new FaultyObjectStore(undefined, store.memory);
    let compacting: Promise<void> | undefined;
    reader.fateOf = async ({ name }): Promise<Fate> => {
      if (name === 'getRange') {
        await (compacting ??= owner.compact(2));
      }
      return 'works';
    };
    const damaged: string[] = [];
    const next = await openLedger(reader, { damaged });
    expect([next.epoch, answered(next), damaged]).toEqual([3, [0, 1, 2], []]);
  });

  it('reports a segment that is cut, and leaves its lines to be answered again', async () => {
    const former = await openLedger(store);
    await former.commit([aSegmentLine(0), aSegmentLine(1)]);
    await former.commit([aSegmentLine(2)]);
    const key = shardKeys.segment(1, 0);
    const bytes = (await store.get(key))?.bytes ?? Buffer.alloc(0);
    await store.put(key, bytes.subarray(0, -1));
    const damaged: string[] = [];
    expect(answered(await openLedger(store, { damaged }))).toEqual([2]);
    expect(damaged).toEqual([key]);
  });

  it('reports a segment that an epoch names and that is gone', async () => {
    await commitEach(await openLedger(store), [0, 1]);
    await openLedger(store);
    await store.delete([shardKeys.segment(1, 1)]);
    const damaged: string[] = [];
    expect(answered(await openLedger(store, { damaged }))).toEqual([0]);
    expect(damaged).toEqual([shardKeys.segment(1, 1)]);
  });

  it('fails when the store does, and changes nothing', async () => {
    await commitEach(await openLedger(store), [0]);
    store.fateOf = () => 'fails';
    await expect(openLedger(store)).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    expect((await openLedger(store)).epoch).toBe(2);
  });
});

describe('compacting', () => {
  it('keeps every line and count, and deletes the parts', async () => {
    const ledger = await openLedger(store);
    await commitEach(ledger, [0, 1]);
    await ledger.commit([aSegmentLine(2, { outcome: 'failed', usage: { inputTokens: 7 } })]);
    await ledger.compact(3);
    expect([ledger.epoch, answered(ledger)]).toEqual([2, [0, 1, 2]]);
    expect(ledger.counts).toEqual({ completed: 2, failed: 1 });
    expect(await segmentKeys()).toEqual([]);
    const next = await openLedger(store, { lineCount: 3 });
    expect([answered(next), next.counts]).toEqual([[0, 1, 2], ledger.counts]);
    const seal = await next.seal();
    expect(seal).toMatchObject({ usage: { inputTokens: 7 } });
  });

  it('does nothing while there are few small segments', async () => {
    const ledger = await openLedger(store);
    await commitEach(ledger, [0, 1]);
    await ledger.compact(3);
    expect(ledger.epoch).toBe(1);
    expect(await segmentKeys()).toHaveLength(2);
  });

  it('leaves large segments as they are', async () => {
    const ledger = await openLedger(store);
    await ledger.commit([aSegmentLine(0, { text: 'x'.repeat(16 * 1024 * 1024) })]);
    await commitEach(ledger, [1, 2]);
    await ledger.compact(2);
    expect(await segmentKeys()).toEqual([shardKeys.segment(1, 0)]);
    expect(answered(await openLedger(store))).toEqual([0, 1, 2]);
  });

  it('merges what it has merged before with what came since', async () => {
    const ledger = await openLedger(store);
    for (const from of [0, 2, 4]) {
      await commitEach(ledger, [from, from + 1]);
      await ledger.compact(2);
    }
    expect(answered(await openLedger(store))).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await segmentKeys()).toEqual([]);
  });

  it('keeps a shard at a bounded number of objects', async () => {
    const ledger = await openLedger(store);
    for (let ordinal = 0; ordinal < 300; ordinal++) {
      await ledger.commit([aSegmentLine(ordinal)]);
      await ledger.compact(segmentCountMax);
    }
    expect((await segmentKeys()).length).toBeLessThan(segmentCountMax);
    expect((await openLedger(store)).lineCount).toBe(300);
  });

  it('loses nothing when it is cut off before its epoch', async () => {
    const ledger = await openLedger(store);
    await commitEach(ledger, [0, 1]);
    store.fateOf = (call) => (isNewEpoch(call) ? 'fails' : 'works');
    await expect(ledger.compact(2)).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    const next = await openLedger(store);
    expect([next.epoch, answered(next)]).toEqual([2, [0, 1]]);
  });

  it('counts nothing twice when it is cut off before the parts are deleted', async () => {
    const ledger = await openLedger(store);
    await commitEach(ledger, [0, 1]);
    store.fateOf = ({ name }) => (name === 'delete' ? 'fails' : 'works');
    await expect(ledger.compact(2)).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    const next = await openLedger(store);
    expect([next.lineCount, answered(next)]).toEqual([2, [0, 1]]);
  });

  it('drops a segment whose lines have changed, and says so', async () => {
    const damaged: string[] = [];
    const ledger = await openLedger(store, { damaged });
    await commitEach(ledger, [0, 1, 2]);
    await damage(shardKeys.segment(1, 1));
    await ledger.compact(2);
    expect([answered(ledger), damaged]).toEqual([[0, 2], [shardKeys.segment(1, 1)]]);
    expect(answered(await openLedger(store))).toEqual([0, 2]);
  });
});

describe('sealing', () => {
  it('writes output and errors in the order of the ordinals', async () => {
    const ledger = await openLedger(store, { lineCount: 4 });
    await ledger.commit([aSegmentLine(3), aSegmentLine(1, { outcome: 'failed' })]);
    await ledger.commit([aSegmentLine(2, { usage: { inputTokens: 2, totalTokens: 2 } })]);
    await ledger.commit([aSegmentLine(0, { outcome: 'expired' })]);
    const seal = await ledger.seal();
    expect(seal).toMatchObject({
      counts: { completed: 2, failed: 1 },
      usage: { inputTokens: 2, totalTokens: 2 },
      output: { lineCount: 2 },
      errors: { lineCount: 2 },
    });
    expect(seal && (await sealedLines(store, seal))).toEqual({
      output: ['line 2', 'line 3'],
      errors: ['line 0', 'line 1'],
    });
    expect(await readSeal({ store, keys: shardKeys })).toEqual(seal);
  });

  it('is refused while a line has no answer, or has none any more', async () => {
    const damaged: string[] = [];
    const ledger = await openLedger(store, { damaged, lineCount: 3 });
    await commitEach(ledger, [0, 1]);
    expect(await ledger.seal()).toBeUndefined();
    await damage(shardKeys.segment(1, 0));
    await commitEach(ledger, [2]);
    await ledger.compact(2);
    expect([answered(ledger), damaged]).toEqual([[1, 2], [shardKeys.segment(1, 0)]]);
    expect(await ledger.seal()).toBeUndefined();
    expect(await readSeal({ store, keys: shardKeys })).toBeUndefined();
  });

  it('has no object where there is no line', async () => {
    const ledger = await openLedger(store, { lineCount: 1 });
    await ledger.commit([aSegmentLine(0)]);
    expect(await ledger.seal()).toMatchObject({ output: { lineCount: 1 }, errors: null });
  });

  it('has no output where every line failed', async () => {
    const ledger = await openLedger(store, { lineCount: 1 });
    await ledger.commit([aSegmentLine(0, { outcome: 'failed' })]);
    expect(await ledger.seal()).toMatchObject({ output: null, errors: { lineCount: 1 } });
  });

  it('ends the epochs: whoever comes later finds the seal', async () => {
    const ledger = await openLedger(store, { lineCount: 1 });
    await ledger.commit([aSegmentLine(0)]);
    const seal = await ledger.seal();
    expect(await takeShardOver(store)).toEqual({ seal });
    expect(await takeShardOver(store)).toEqual({ seal });
    expect(await keysBelow(store, shardKeys.epochsPrefix)).toHaveLength(2);
  });

  it('is lost by one of two owners', async () => {
    const former = await openLedger(store, { lineCount: 1 });
    await former.commit([aSegmentLine(0)]);
    const owner = await openLedger(store, { lineCount: 1 });
    const results = await Promise.allSettled([former.seal(), owner.seal()]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  });

  it('drops a segment whose lines have changed, and leaves the shard open', async () => {
    const damaged: string[] = [];
    const ledger = await openLedger(store, { damaged, lineCount: 3 });
    await commitEach(ledger, [0, 1, 2]);
    await damage(shardKeys.segment(1, 0));
    expect(await ledger.seal()).toBeUndefined();
    expect(damaged).toEqual([shardKeys.segment(1, 0)]);
    expect(await readSeal({ store, keys: shardKeys })).toBeUndefined();
    await ledger.commit([aSegmentLine(0)]);
    expect(await ledger.seal()).toMatchObject({ output: { lineCount: 3 } });
  });

  it.each(['put', 'putStream', 'getRange'] as const)(
    'may be repeated by the next owner when %s fails',
    async (failing) => {
      const ledger = await openLedger(store, { lineCount: 2 });
      await ledger.commit([aSegmentLine(0), aSegmentLine(1, { outcome: 'failed' })]);
      store.fateOf = ({ name }) => (name === failing || name === 'list' ? 'fails' : 'works');
      await expect(ledger.seal()).rejects.toThrow(StoreFault);
      store.fateOf = () => 'works';
      const seal = await (await openLedger(store, { lineCount: 2 })).seal();
      expect(seal && (await sealedLines(store, seal))).toEqual({
        output: ['line 0'],
        errors: ['line 1'],
      });
    },
  );

  it('is held by whoever lost the answer of the store', async () => {
    const ledger = await openLedger(store, { lineCount: 1 });
    await ledger.commit([aSegmentLine(0)]);
    store.fateOf = (call) => (isNewEpoch(call) ? 'answer_lost' : 'works');
    await expect(ledger.seal()).rejects.toThrow(StoreFault);
    store.fateOf = () => 'works';
    expect((await takeShardOver(store)).seal).toMatchObject({ output: { lineCount: 1 } });
  });
});

test('a former owner that misses what the next one has compacted reports nothing damaged', async () => {
  const damaged: string[] = [];
  const former = await openLedger(store, { damaged });
  await commitEach(former, [0, 1]);
  await (await openLedger(store)).compact(2);
  await expect(former.compact(2)).rejects.toThrow(ShardTakenOver);
  expect(damaged).toEqual([]);
});

async function damage(key: string): Promise<void> {
  const bytes = (await store.get(key))?.bytes ?? Buffer.alloc(0);
  bytes[0] = 0x58;
  await store.put(key, bytes);
}

describe('segments that the process still holds', () => {
  const reads = (): StoreCall[] => store.calls.filter(({ name }) => name === 'getRange');

  it('are sealed without being read, and then let go', async () => {
    const recent = new Map<string, Buffer>();
    const ledger = await openLedger(store, { lineCount: 3, recent });
    await commitEach(ledger, [2, 0]);
    await ledger.commit([aSegmentLine(1, { outcome: 'failed' })]);
    const lines = await sealedBy(ledger);
    expect(reads()).toEqual([]);
    expect(lines).toEqual({
      output: ['line 0', 'line 2'],
      errors: ['line 1'],
    });
    expect(recent.size).toBe(0);
  });

  it('are merged with those that it has to read', async () => {
    const recent = new Map<string, Buffer>();
    const ledger = await openLedger(store, { lineCount: 3, recent });
    await commitEach(ledger, [1, 2, 0]);
    recent.delete(shardKeys.segment(1, 1));
    const { output } = await sealedBy(ledger);
    expect(reads().map(({ key }) => key)).toEqual([shardKeys.segment(1, 1)]);
    expect(output).toEqual(['line 0', 'line 1', 'line 2']);
  });

  it('are compacted without being read, and then let go', async () => {
    const recent = new Map<string, Buffer>();
    const ledger = await openLedger(store, { recent });
    await commitEach(ledger, [1, 2]);
    await ledger.compact(2);
    expect(reads()).toEqual([]);
    expect(recent.size).toBe(0);
    expect(answered(ledger)).toEqual([1, 2]);
  });
});
