import fc from 'fast-check';
import {
  mergedIndex,
  readMerged,
  SegmentsDamaged,
  type OpenSegment,
} from '../../../src/ledger/merge';
import { encodeSegment, type SegmentLine } from '../../../src/ledger/segment';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import type { ObjectStore } from '../../../src/storage/object-store';
import { holdsAsync } from '../../support/holds';
import { aSegmentLine } from '../../support/ledgers';

async function stored(
  store: ObjectStore,
  parts: readonly (readonly SegmentLine[])[],
): Promise<OpenSegment[]> {
  return await Promise.all(
    parts.map(async (lines, at) => {
      const key = `segment-${at}`;
      const { bytes, summary, index } = await encodeSegment(key, lines);
      await store.put(key, bytes);
      return { key, summary, index };
    }),
  );
}

async function merged(
  store: ObjectStore,
  segments: readonly OpenSegment[],
): Promise<{ text: string; kinds: number[] }> {
  const pieces: Buffer[] = [];
  const kinds: number[] = [];
  for await (const { bytes, kind } of readMerged(store, segments)) {
    pieces.push(Buffer.from(bytes));
    kinds.push(kind);
  }
  return { text: Buffer.concat(pieces).toString(), kinds };
}

test('lines of any segments come in the order of their ordinals, byte for byte', async () => {
  const ordinals = fc.uniqueArray(fc.nat({ max: 500 }), { minLength: 1, maxLength: 60 });
  const property = fc.asyncProperty(
    ordinals,
    fc.infiniteStream(fc.nat({ max: 4 })),
    async (given, choices) => {
      const parts: SegmentLine[][] = [[], [], [], [], []];
      const lines = given.map((ordinal) =>
        aSegmentLine(ordinal, {
          outcome: ordinal % 3 === 0 ? 'failed' : 'completed',
          text: `${ordinal} ${'x'.repeat(ordinal % 7)}`,
        }),
      );
      for (const line of lines) {
        parts[choices.next().value ?? 0]?.push(line);
      }
      const store = new MemoryObjectStore();
      const segments = await stored(
        store,
        parts.filter((part) => part.length > 0),
      );
      const sorted = lines.toSorted((a, b) => a.ordinal - b.ordinal);
      const expected = await encodeSegment('sorted', sorted);
      expect((await merged(store, segments)).text).toBe(
        sorted.map(({ pieces }) => Buffer.concat(pieces).toString()).join(''),
      );
      expect(mergedIndex(segments)).toEqual(expected.index);
    },
  );
  await holdsAsync(property);
});

test('lines longer than what is read at once arrive whole', async () => {
  const store = new MemoryObjectStore();
  const long = 'x'.repeat(2_500_000);
  const segments = await stored(store, [
    [aSegmentLine(0, { text: long }), aSegmentLine(2, { text: `${long}z` })],
    [aSegmentLine(1)],
  ]);
  const { text } = await merged(store, segments);
  expect(text === `${long}\nline 1\n${long}z\n`).toBe(true);
});

test('neighbouring lines of one kind come together, those of two kinds do not', async () => {
  const store = new MemoryObjectStore();
  const segments = await stored(store, [
    [aSegmentLine(0), aSegmentLine(1), aSegmentLine(2, { outcome: 'failed' }), aSegmentLine(3)],
  ]);
  expect((await merged(store, segments)).kinds).toEqual([1, 2, 1]);
});

describe('a segment whose lines have changed is named', () => {
  async function check(damage: (bytes: Buffer) => Buffer | undefined): Promise<void> {
    const store = new MemoryObjectStore();
    const segments = await stored(store, [
      [aSegmentLine(0), aSegmentLine(2)],
      [aSegmentLine(1), aSegmentLine(3)],
    ]);
    const key = 'segment-1';
    const before = (await store.get(key))?.bytes ?? Buffer.alloc(0);
    const after = damage(Buffer.from(before));
    await (after === undefined ? store.delete([key]) : store.put(key, after));
    const error: unknown = await merged(store, segments).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(SegmentsDamaged);
    expect(error).toMatchObject({ keys: [key] });
  }

  it('when a byte of a line is another one', async () => {
    await check((bytes) => {
      bytes[3] = 0x58;
      return bytes;
    });
  });

  it('when it is cut within its lines', async () => {
    await check((bytes) => bytes.subarray(0, 5));
  });

  it('when it is gone', async () => {
    await check(() => undefined);
  });
});
