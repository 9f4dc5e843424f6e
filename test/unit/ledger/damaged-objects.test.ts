import { crc32 } from 'node:zlib';
import { footerBytes } from '../../../src/ledger/segment';
import { ShardTakenOver, type ShardLedger } from '../../../src/ledger/shard-ledger';
import { StoreFault } from '../../../src/storage/object-store';
import { FaultyObjectStore, type Fate } from '../../support/faulty-object-store';
import { aSegmentLine, openLedger, sealedLines, shardKeys } from '../../support/ledgers';

let store: FaultyObjectStore;

beforeEach(() => {
  store = new FaultyObjectStore();
});

function answeredBy(ledger: ShardLedger): number[] {
  return [...ledger.answeredOrdinals()].sort((a, b) => a - b);
}

/** Commits lines one segment each. */
async function commitEach(ledger: ShardLedger, ordinals: readonly number[]): Promise<void> {
  for (const ordinal of ordinals) {
    await ledger.commit([aSegmentLine(ordinal)]);
  }
}

describe('an epoch record', () => {
  const epochOf = async (number: number): Promise<Buffer> =>
    (await store.get(shardKeys.epoch(number)))?.bytes ?? Buffer.alloc(0);

  /** Epoch 3 names what 1 and 2 have written; its owner adds a line. */
  async function threeEpochs(): Promise<void> {
    await commitEach(await openLedger(store), [0, 1]);
    await commitEach(await openLedger(store), [2]);
    await commitEach(await openLedger(store), [3]);
  }

  it.each([
    ['changed', async () => Buffer.from((await epochOf(3)).toString().replace('owner', 'ownes'))],
    ['cut', async () => (await epochOf(3)).subarray(0, 20)],
    ['emptied', async () => await Promise.resolve(Buffer.alloc(0))],
    ['that of another epoch', async () => await epochOf(2)],
    ['no JSON', async () => await Promise.resolve(Buffer.from('<html>'))],
    ['null', async () => await Promise.resolve(Buffer.from('null'))],
  ])('that is %s keeps its number, and costs no answer', async (_, damage) => {
    await threeEpochs();
    await store.put(shardKeys.epoch(3), await damage());
    const damaged: string[] = [];
    const next = await openLedger(store, { damaged });
    expect([next.epoch, answeredBy(next)]).toEqual([4, [0, 1, 2, 3]]);
    expect([damaged, next.damagedCount]).toEqual([[shardKeys.epoch(3)], 1]);
    expect(answeredBy(await openLedger(store))).toEqual([0, 1, 2, 3]);
  });

  it('that is gone keeps its number, and costs no answer', async () => {
    await threeEpochs();
    await store.delete([shardKeys.epoch(2), shardKeys.epoch(3)]);
    const next = await openLedger(store);
    expect([next.epoch, answeredBy(next)]).toEqual([4, [0, 1, 2, 3]]);
    expect((await epochOf(3)).length).toBe(0);
  });

  it('that is gone is not brought back by its owner, or by the one before', async () => {
    const first = await openLedger(store, { lineCount: 2 });
    const second = await openLedger(store, { lineCount: 2 });
    await commitEach(second, [0, 1]);
    await store.delete([shardKeys.epoch(2)]);
    await openLedger(store);
    await commitEach(first, [0, 1]);
    await expect(first.seal()).rejects.toThrow(ShardTakenOver);
    await expect(second.seal()).rejects.toThrow(ShardTakenOver);
  });

  it('may be gone with all others', async () => {
    await threeEpochs();
    await store.delete([1, 2, 3].map((number) => shardKeys.epoch(number)));
    const next = await openLedger(store);
    expect([next.epoch, answeredBy(next)]).toEqual([4, [0, 1, 2, 3]]);
  });

  it('that is gone leaves what its owner had compacted', async () => {
    const ledger = await openLedger(store);
    await commitEach(ledger, [0, 1, 2]);
    await ledger.compact(2);
    await store.delete([shardKeys.epoch(2)]);
    expect(answeredBy(await openLedger(store))).toEqual([0, 1, 2]);
  });

  it('with the seal may be gone: the shard is sealed again from its segments', async () => {
    const ledger = await openLedger(store, { lineCount: 2 });
    await commitEach(ledger, [0, 1]);
    await ledger.seal();
    await store.delete([shardKeys.epoch(2)]);
    const next = await openLedger(store, { lineCount: 2 });
    const seal = await next.seal();
    expect(seal && (await sealedLines(store, seal)).output).toEqual(['line 0', 'line 1']);
  });

  it.each([50_000_000, 99_999_999])(
    'with a number that no shard reaches is not counted: %d',
    async (foreign) => {
      await threeEpochs();
      await store.put(shardKeys.epoch(foreign), await epochOf(2));
      for (const expected of [4, 5]) {
        const next = await openLedger(store);
        expect([next.epoch, answeredBy(next)]).toEqual([expected, [0, 1, 2, 3]]);
      }
    },
  );

  it('that is larger than any keeps its number, and is not read', async () => {
    await threeEpochs();
    await store.put(shardKeys.epoch(4), Buffer.alloc(32 * 1024 * 1024));
    const read: string[] = [];
    store.fateOf = ({ name, key }) => {
      if (name === 'get') {
        read.push(key);
      }
      return 'works';
    };
    const next = await openLedger(store);
    expect([next.epoch, answeredBy(next)]).toEqual([5, [0, 1, 2, 3]]);
    expect(read).not.toContain(shardKeys.epoch(4));
  });

  it('of a version that wrote no checksum is read', async () => {
    await threeEpochs();
    const text = (await epochOf(3)).toString().replace(/,"crc":\d+/, '');
    await store.put(shardKeys.epoch(3), Buffer.from(text));
    const damaged: string[] = [];
    expect(answeredBy(await openLedger(store, { damaged }))).toEqual([0, 1, 2, 3]);
    expect(damaged).toEqual([]);
  });

  it('that somebody creates while one is read is not taken for one that is gone', async () => {
    const owner = await openLedger(store);
    await commitEach(owner, [0, 1, 2]);
    const reader = new FaultyObjectStore(undefined, store.memory);
    let working: Promise<void> | undefined;
    reader.fateOf = async ({ name, key }): Promise<Fate> => {
      if (name === 'get' && key.startsWith(shardKeys.epochsPrefix)) {
        await (working ??= owner.compact(2).then(async () => {
          await commitEach(owner, [3]);
        }));
      }
      return 'works';
    };
    const damaged: string[] = [];
    const next = await openLedger(reader, { damaged });
    expect([next.epoch, answeredBy(next), damaged]).toEqual([3, [0, 1, 2, 3], []]);
  });
});

describe('an object that the store cannot read any more', () => {
  const cannotRead = (lost: string): void => {
    store.fateOf = ({ name, key }) =>
      key === lost && (name === 'get' || name === 'getRange') ? 'fails' : 'works';
  };

  it.each([
    ['epoch', shardKeys.epoch(2), [0, 1, 2]],
    ['segment', shardKeys.segment(1, 0), [1, 2]],
  ])('counts as missing: %s', async (_, key, expected) => {
    await commitEach(await openLedger(store), [0, 1]);
    await commitEach(await openLedger(store), [2]);
    cannotRead(key);
    const damaged: string[] = [];
    expect(answeredBy(await openLedger(store, { damaged }))).toEqual(expected);
    expect(damaged).toEqual([key]);
  });

  it('is noticed while lines are merged', async () => {
    const damaged: string[] = [];
    const ledger = await openLedger(store, { damaged, lineCount: 3 });
    await commitEach(ledger, [0, 1, 2]);
    cannotRead(shardKeys.segment(1, 2));
    expect(await ledger.seal()).toBeUndefined();
    expect([answeredBy(ledger), damaged]).toEqual([[0, 1], [shardKeys.segment(1, 2)]]);
  });

  it('is waited for while the store answers nothing else either', async () => {
    await commitEach(await openLedger(store), [0, 1]);
    store.fateOf = ({ name }) => (name === 'put' ? 'works' : 'fails');
    await expect(openLedger(store)).rejects.toThrow(StoreFault);
  });

  it('is read when only some reads fail', async () => {
    await commitEach(await openLedger(store), [0, 1]);
    let reads = 0;
    store.fateOf = ({ name }) =>
      name === 'getRange' && (reads += 1) % 5 !== 0 ? 'fails' : 'works';
    expect(answeredBy(await openLedger(store))).toEqual([0, 1]);
  });
});

describe("a segment that is not its shard's", () => {
  it('is left out when it was copied from elsewhere', async () => {
    await commitEach(await openLedger(store), [0, 1]);
    const bytes = (await store.get(shardKeys.segment(1, 0)))?.bytes ?? Buffer.alloc(0);
    await store.put(shardKeys.segment(1, 1), bytes);
    const damaged: string[] = [];
    expect(answeredBy(await openLedger(store, { damaged }))).toEqual([0]);
    expect(damaged).toEqual([shardKeys.segment(1, 1)]);
  });

  it('is left out when the shard has no such lines', async () => {
    await commitEach(await openLedger(store), [0, 5]);
    expect(answeredBy(await openLedger(store, { lineCount: 5 }))).toEqual([0]);
  });

  it('is read when a version has written it that told no key', async () => {
    await commitEach(await openLedger(store), [0]);
    const bytes = (await store.get(shardKeys.segment(1, 0)))?.bytes ?? Buffer.alloc(0);
    const footer = bytes.subarray(-footerBytes);
    footer.writeUInt32BE(0, 64);
    footer.writeUInt32BE(crc32(footer.subarray(0, 76)), 76);
    await store.put(shardKeys.segment(1, 0), bytes);
    expect(answeredBy(await openLedger(store))).toEqual([0]);
  });
});
