/** Whole objects: put, get, conditional put, delete. */
import { type ObjectStore } from '../../../src/storage/object-store';
import { keysOf, putAll, readAll, type Subject } from './support';

export function describeWrites(subject: Subject): void {
  describe('put and get', () => {
    it('returns the bytes that were put, with the ETag that put returned', async () => {
      const put = await subject.store.put(`${subject.prefix}a`, Buffer.from('one'));
      const got = await subject.store.get(`${subject.prefix}a`);

      expect(got).toEqual({ etag: put?.etag, bytes: Buffer.from('one') });
      expect(await subject.store.head(`${subject.prefix}a`)).toEqual({
        etag: put?.etag,
        sizeBytes: 3,
      });
    });

    it('writes ETags without quotes', async () => {
      const put = await subject.store.put(`${subject.prefix}a`, Buffer.from('one'));
      expect(put?.etag).toMatch(/^[0-9a-f]{32}$/);
    });

    it('stores an empty object', async () => {
      const put = await subject.store.put(`${subject.prefix}empty`, new Uint8Array());

      expect(put?.sizeBytes).toBe(0);
      expect((await subject.store.get(`${subject.prefix}empty`))?.bytes.length).toBe(0);
      expect(await readAll(subject.store, `${subject.prefix}empty`)).toEqual(Buffer.alloc(0));
    });

    it('puts only the bytes of a view, and does not see what becomes of them', async () => {
      const whole = new Uint8Array([1, 2, 3, 4, 5]);
      await subject.store.put(`${subject.prefix}view`, whole.subarray(1, 4));
      whole.fill(0);

      expect((await subject.store.get(`${subject.prefix}view`))?.bytes).toEqual(
        Buffer.from([2, 3, 4]),
      );
    });

    it('replaces an object', async () => {
      await subject.store.put(`${subject.prefix}a`, Buffer.from('one'));
      await subject.store.put(`${subject.prefix}a`, Buffer.from('second'));

      expect((await subject.store.get(`${subject.prefix}a`))?.bytes.toString()).toBe('second');
    });

    it('gives each reader bytes of its own', async () => {
      await subject.store.put(`${subject.prefix}a`, Buffer.from('one'));
      (await subject.store.get(`${subject.prefix}a`))?.bytes.fill(0);

      expect((await subject.store.get(`${subject.prefix}a`))?.bytes.toString()).toBe('one');
    });

    it('has nothing under a key that was never put', async () => {
      expect(await subject.store.get(`${subject.prefix}none`)).toBeUndefined();
      expect(await subject.store.head(`${subject.prefix}none`)).toBeUndefined();
      expect(
        await subject.store.getRange(`${subject.prefix}none`, { offset: 0, length: 1 }),
      ).toBeUndefined();
      expect(await subject.store.openRead(`${subject.prefix}none`)).toBeUndefined();
    });
  });

  describe('conditional put', () => {
    it('creates only what is absent', async () => {
      const first = await subject.store.put(`${subject.prefix}a`, Buffer.from('one'), {
        ifAbsent: true,
      });
      const second = await subject.store.put(`${subject.prefix}a`, Buffer.from('two'), {
        ifAbsent: true,
      });

      expect(first).toBeDefined();
      expect(second).toBeUndefined();
      expect((await subject.store.get(`${subject.prefix}a`))?.bytes.toString()).toBe('one');
    });

    it('replaces only the object with the given ETag', async () => {
      const first = await subject.store.put(`${subject.prefix}a`, Buffer.from('one'));
      const ifEtag = first?.etag ?? '';
      const second = await subject.store.put(`${subject.prefix}a`, Buffer.from('two'), { ifEtag });
      const late = await subject.store.put(`${subject.prefix}a`, Buffer.from('three'), { ifEtag });

      expect(second?.etag).toBe((await subject.store.head(`${subject.prefix}a`))?.etag);
      expect(late).toBeUndefined();
      expect((await subject.store.get(`${subject.prefix}a`))?.bytes.toString()).toBe('two');
    });

    it('does not replace an object that is missing', async () => {
      const condition = { ifEtag: '5d41402abc4b2a76b9719d911017c592' };
      const put = await subject.store.put(`${subject.prefix}none`, Buffer.from('one'), condition);

      expect(put).toBeUndefined();
      expect(await subject.store.head(`${subject.prefix}none`)).toBeUndefined();
    });

    it('lets exactly one of 32 racing creators win', async () => {
      const results = await Promise.all(
        Array.from({ length: 32 }, async (_, index) => {
          const bytes = Buffer.from(`creator ${index}`);
          return await subject.store.put(`${subject.prefix}race`, bytes, { ifAbsent: true });
        }),
      );
      const winners = results.flatMap((result, index) => (result ? [index] : []));

      expect(winners).toHaveLength(1);
      expect((await subject.store.get(`${subject.prefix}race`))?.bytes.toString()).toBe(
        `creator ${winners[0]}`,
      );
    });

    it('loses no increment of eight writers that compare and swap', async () => {
      await subject.store.put(`${subject.prefix}counter`, Buffer.from('0'));
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let round = 0; round < 5; round += 1) {
            await increment(subject.store, `${subject.prefix}counter`);
          }
        }),
      );

      expect((await subject.store.get(`${subject.prefix}counter`))?.bytes.toString()).toBe('40');
    });
  });

  describe('delete', () => {
    it('deletes what is there, and succeeds for what is not', async () => {
      await putAll(subject.store, [`${subject.prefix}a`, `${subject.prefix}b`]);
      await subject.store.delete([`${subject.prefix}a`, `${subject.prefix}none`]);
      await subject.store.delete([`${subject.prefix}a`]);
      await subject.store.delete([]);

      expect(await subject.store.head(`${subject.prefix}a`)).toBeUndefined();
      expect(await keysOf(subject.store, subject.prefix)).toEqual(['b']);
    });

    it('deletes keys with characters that XML reserves', async () => {
      const key = `${subject.prefix}a&<b>'"c`;
      await subject.store.put(key, Buffer.from('x'));
      await subject.store.delete([key]);
      expect(await subject.store.head(key)).toBeUndefined();
    });
  });
}

async function increment(store: ObjectStore, key: string): Promise<void> {
  for (;;) {
    const stored = await store.get(key);
    const next = Buffer.from(String(Number(stored?.bytes.toString()) + 1));
    if ((await store.put(key, next, { ifEtag: stored?.etag ?? '' })) !== undefined) {
      return;
    }
  }
}
