/** Ranges and streamed reads. */
import { readAll, type Subject } from './support';

export function describeReads(subject: Subject): void {
  describe('ranges', () => {
    const text = 'abcdefghij';

    beforeEach(async () => {
      await subject.store.put(`${subject.prefix}r`, Buffer.from(text));
    });

    it.each([
      [0, 10],
      [0, 1],
      [3, 4],
      [9, 1],
    ])('reads %i+%i', async (offset, length) => {
      const expected = Buffer.from(text.slice(offset, offset + length));
      expect(await subject.store.getRange(`${subject.prefix}r`, { offset, length })).toEqual(
        expected,
      );
      expect(await readAll(subject.store, `${subject.prefix}r`, { offset, length })).toEqual(
        expected,
      );
    });

    it.each([
      [0, 11],
      [9, 2],
      [10, 1],
      [100, 5],
    ])('has no %i+%i', async (offset, length) => {
      expect(
        await subject.store.getRange(`${subject.prefix}r`, { offset, length }),
      ).toBeUndefined();
      expect(
        await subject.store.openRead(`${subject.prefix}r`, { offset, length }),
      ).toBeUndefined();
    });

    it('does not mistake a length of nothing for all of it', async () => {
      const empty = await subject.store.getRange(`${subject.prefix}r`, { offset: 3, length: 0 });
      expect(empty).toEqual(Buffer.alloc(0));
      expect(await readAll(subject.store, `${subject.prefix}r`, { offset: 3, length: 0 })).toEqual(
        empty,
      );
    });

    it.each([
      [-1, 2],
      [0, -1],
      [0.5, 1],
      [Number.NaN, 1],
    ])('refuses %d+%d as a bug of the caller', async (offset, length) => {
      await expect(
        subject.store.getRange(`${subject.prefix}r`, { offset, length }),
      ).rejects.toThrow(RangeError);
      await expect(
        subject.store.openRead(`${subject.prefix}r`, { offset, length }),
      ).rejects.toThrow(RangeError);
    });
  });
}
