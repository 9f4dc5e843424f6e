/** Objects made of slices of others. */
import { randomBytes } from 'node:crypto';
import { StoreFault, type ObjectSlice, type Resumption } from '../../../src/storage/object-store';
import { digest, MIB, readAll, type Subject } from './support';

export function describeConcatenation(subject: Subject): void {
  describe('concatenate', () => {
    const sizes = [0, 1, 5 * MIB - 1, 5 * MIB, 5 * MIB + 1, 3, 20 * MIB, 0, 7, 7 * MIB, 2];
    const sources = sizes.map((size) => randomBytes(size));
    const keyOf = (index: number): string => `sources/${index}`;

    beforeAll(async () => {
      for (const [index, bytes] of sources.entries()) {
        await subject.store.put(keyOf(index), bytes);
      }
    });

    async function join(slices: readonly ObjectSlice[], resumption?: Resumption): Promise<string> {
      await subject.store.concatenate(`${subject.prefix}joined`, slices, resumption);
      return digest(await readAll(subject.store, `${subject.prefix}joined`));
    }

    const wholeOf = (index: number): ObjectSlice => ({
      key: keyOf(index),
      offset: 0,
      length: sizes[index] ?? 0,
    });

    it('strings objects of all sizes together, byte for byte', async () => {
      expect(await join(sizes.map((_, index) => wholeOf(index)))).toBe(
        digest(Buffer.concat(sources)),
      );
    });

    it('strings them together in the opposite order', async () => {
      const order = sizes.map((_, index) => index).reverse();
      const expected = Buffer.concat(order.map((index) => sources[index] ?? Buffer.alloc(0)));
      expect(await join(order.map((index) => wholeOf(index)))).toBe(digest(expected));
    });

    it('takes slices from the middle of objects', async () => {
      const [large, other] = [sources[6] ?? Buffer.alloc(0), sources[9] ?? Buffer.alloc(0)];
      const slices = [
        { key: keyOf(6), offset: 1, length: 6 * MIB },
        { key: keyOf(9), offset: MIB, length: 5 },
        { key: keyOf(6), offset: 9 * MIB, length: 11 * MIB },
      ];
      const expected = Buffer.concat([
        large.subarray(1, 1 + 6 * MIB),
        other.subarray(MIB, MIB + 5),
        large.subarray(9 * MIB, 20 * MIB),
      ]);
      expect(await join(slices)).toBe(digest(expected));
    });

    it('writes the same bytes when it is repeated', async () => {
      const slices = [wholeOf(6), wholeOf(1), wholeOf(4)];
      const first = await subject.store.concatenate(`${subject.prefix}joined`, slices);
      expect(await subject.store.head(`${subject.prefix}joined`)).toEqual(first);
      expect(await subject.store.concatenate(`${subject.prefix}joined`, slices)).toEqual(first);
    });

    it('makes the same of whatever it is told to go on with', async () => {
      const slices = [wholeOf(6), wholeOf(1), wholeOf(9)];
      const tokens = ['', 'nonsense', 'non sense'];
      const onBegun = (token: string): void => {
        tokens.push(token);
      };
      const expected = await join(slices, { onBegun });
      await join(slices.toReversed(), { onBegun });
      for (const token of tokens) {
        expect(await join(slices, { token, onBegun: () => undefined })).toBe(expected);
      }
    });

    it('takes an object that is larger than one copied part', async () => {
      const large = randomBytes(65 * MIB + 1);
      const key = `${subject.prefix}large`;
      await subject.store.put(key, large);
      const slices = [{ key, offset: 1, length: 65 * MIB }, wholeOf(1), wholeOf(4)];
      const expected = [large.subarray(1), sources[1], sources[4]].map(
        (bytes) => bytes ?? Buffer.alloc(0),
      );
      expect(await join(slices)).toBe(digest(Buffer.concat(expected)));
    });

    it.each([
      ['nothing', [], 0],
      ['an empty object', [0], 0],
      ['one small object', [1], 1],
      ['one object', [6], 20 * MIB],
      ['many small objects', Array.from({ length: 40 }, () => 8), 280],
    ] as const)('makes an object of %s', async (_, indices, sizeBytes) => {
      const expected = indices.map((index) => sources[index] ?? Buffer.alloc(0));
      expect(await join(indices.map((index) => wholeOf(index)))).toBe(
        digest(Buffer.concat(expected)),
      );
      expect((await subject.store.head(`${subject.prefix}joined`))?.sizeBytes).toBe(sizeBytes);
    });

    it.each([1 * MIB, 6 * MIB])(
      'takes %i bytes of the very object that is meant',
      async (length) => {
        const source = wholeOf(6);
        const etag = (await subject.store.head(source.key))?.etag ?? '';
        const expected = sources[6]?.subarray(0, length) ?? Buffer.alloc(0);
        expect(await join([{ ...source, length, etag }])).toBe(digest(expected));
        const other = { ...source, length, etag: etag.replace(/./g, '0') };
        await expect(subject.store.concatenate(`${subject.prefix}other`, [other])).rejects.toThrow(
          StoreFault,
        );
        expect(await subject.store.head(`${subject.prefix}other`)).toBeUndefined();
      },
    );

    it.each([
      ['a small source', { key: 'sources/none', offset: 0, length: 10 }],
      ['a large source', { key: 'sources/none', offset: 0, length: 6 * MIB }],
      ['the end of a source', { key: 'sources/6', offset: 15 * MIB, length: 6 * MIB }],
    ])('fails and leaves nothing when %s is missing', async (_, missing) => {
      const slices = [wholeOf(4), missing, wholeOf(6)];
      await expect(subject.store.concatenate(`${subject.prefix}joined`, slices)).rejects.toThrow(
        StoreFault,
      );
      expect((await subject.store.list(subject.prefix)).items).toEqual([]);
    });
  });
}
