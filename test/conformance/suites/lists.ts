/** Lists of keys and folders, in one page and in many. */
import { compareKeys } from '../../../src/storage/object-store';
import { keysOf, putAll, type Subject } from './support';

export function describeLists(subject: Subject): void {
  describe('lists', () => {
    it('lists keys in the order of their UTF-8 bytes, with sizes', async () => {
      const names = ['b', 'c/d', 'a', '0001', 'B', 'é', '\u{1F600}', '\uFFEE', 'a b+c%2F&', 'Z/'];
      await Promise.all(
        names.map(async (one) => await subject.store.put(subject.prefix + one, Buffer.from(one))),
      );
      const page = await subject.store.list(subject.prefix);

      expect(page).toEqual({
        items: names
          .map((one) => ({ key: subject.prefix + one, sizeBytes: Buffer.byteLength(one) }))
          .sort((one, other) => compareKeys(one.key, other.key)),
        hasMore: false,
      });
    });

    it('lists an object as soon as it is put, and no longer when it is deleted', async () => {
      for (let index = 0; index < 20; index += 1) {
        await subject.store.put(`${subject.prefix}${index}`, new Uint8Array());
        expect((await subject.store.list(subject.prefix)).items).toHaveLength(1);
        await subject.store.delete([`${subject.prefix}${index}`]);
        expect((await subject.store.list(subject.prefix)).items).toHaveLength(0);
      }
    });

    it('goes on behind a key, which need not exist', async () => {
      await putAll(
        subject.store,
        ['a', 'b', 'c', 'd'].map((one) => subject.prefix + one),
      );

      expect(await keysOf(subject.store, subject.prefix, { after: `${subject.prefix}b` })).toEqual([
        'c',
        'd',
      ]);
      expect(await keysOf(subject.store, subject.prefix, { after: `${subject.prefix}bb` })).toEqual(
        ['c', 'd'],
      );
      expect(await keysOf(subject.store, subject.prefix, { after: `${subject.prefix}d` })).toEqual(
        [],
      );
    });

    it('understands a start outside the prefix', async () => {
      await putAll(subject.store, [`${subject.prefix}a`]);

      expect(await keysOf(subject.store, subject.prefix, { after: '!' })).toEqual(['a']);
      expect(await keysOf(subject.store, subject.prefix, { after: '~' })).toEqual([]);
    });

    it('knows whether there is more, at each limit', async () => {
      await putAll(
        subject.store,
        ['a', 'b', 'c'].map((one) => subject.prefix + one),
      );

      expect(await subject.store.list(subject.prefix, { limit: 2 })).toMatchObject({
        hasMore: true,
      });
      expect(await subject.store.list(subject.prefix, { limit: 3 })).toMatchObject({
        hasMore: false,
      });
      expect(
        await subject.store.list(subject.prefix, { after: `${subject.prefix}b`, limit: 1 }),
      ).toEqual({
        items: [{ key: `${subject.prefix}c`, sizeBytes: 0 }],
        hasMore: false,
      });
      expect(await subject.store.list(`${subject.prefix}none`)).toEqual({
        items: [],
        hasMore: false,
      });
    });
  });

  describe('folders', () => {
    it('lists each folder once, with its slash, and no plain key', async () => {
      const names = ['x/1', 'x/2/3', 'y/1', 'plain', 'z'];
      await putAll(
        subject.store,
        names.map((one) => subject.prefix + one),
      );

      expect(await subject.store.listFolders(subject.prefix)).toEqual({
        items: [`${subject.prefix}x/`, `${subject.prefix}y/`],
        hasMore: false,
      });
    });

    it.each([
      ['', ['a', 'a-b', 'a0', 'b']],
      ['a/', ['a0', 'b']],
      ['a/m', ['a0', 'b']],
      ['a', ['a', 'a-b', 'a0', 'b']],
      ['a-b/', ['a', 'a0', 'b']],
      ['b/', []],
    ])('lists the folders behind "%s"', async (after, expected) => {
      await putAll(
        subject.store,
        ['a/1', 'a/z', 'a-b/1', 'a0/1', 'b/1'].map((one) => subject.prefix + one),
      );
      const page = await subject.store.listFolders(subject.prefix, {
        after: subject.prefix + after,
      });
      const names = page.items.map((one) => one.slice(subject.prefix.length, -1));

      expect([...names].sort()).toEqual([...expected].sort());
      expect(page.hasMore).toBe(false);
    });

    it('counts folders, not keys, for the limit and for what is left', async () => {
      const names = ['a/1', 'a/2', 'b', 'c/1', 'c/2', 'd', 'e/1', 'f'];
      await putAll(
        subject.store,
        names.map((one) => subject.prefix + one),
      );
      const first = await subject.store.listFolders(subject.prefix, { limit: 2 });
      const last = first.items.at(-1) ?? '';
      const second = await subject.store.listFolders(subject.prefix, { limit: 2, after: last });

      expect(first).toEqual({
        items: [`${subject.prefix}a/`, `${subject.prefix}c/`],
        hasMore: true,
      });
      expect(second).toEqual({ items: [`${subject.prefix}e/`], hasMore: false });
    });
  });

  describe('more than a page', () => {
    const many = Array.from({ length: 1_001 }, (_, index) => String(index).padStart(5, '0'));

    beforeAll(async () => {
      await putAll(
        subject.store,
        many.map((one) => `many/${one}/record`),
      );
    });

    it('lists a thousand by default and the rest behind them', async () => {
      const first = await subject.store.list('many/');
      const after = first.items.at(-1)?.key ?? '';
      const second = await subject.store.list('many/', { after });

      expect(first.items).toHaveLength(1_000);
      expect(first.hasMore).toBe(true);
      expect(second).toEqual({
        items: [{ key: 'many/01000/record', sizeBytes: 0 }],
        hasMore: false,
      });
    });

    it('does the same for folders', async () => {
      const first = await subject.store.listFolders('many/');
      const second = await subject.store.listFolders('many/', { after: first.items.at(-1) ?? '' });

      expect(first.items).toEqual(many.slice(0, 1_000).map((one) => `many/${one}/`));
      expect(first.hasMore).toBe(true);
      expect(second).toEqual({ items: ['many/01000/'], hasMore: false });
    });

    it('lists more than a thousand where that is asked for', async () => {
      const keys = await subject.store.list('many/', { limit: 5_000 });
      const folders = await subject.store.listFolders('many/', { limit: 1_001 });

      expect(keys.items).toHaveLength(1_001);
      expect(folders.items).toHaveLength(1_001);
      expect([keys.hasMore, folders.hasMore]).toEqual([false, false]);
    });

    it('walks through pages of any size without a gap or a repetition', async () => {
      const walked: string[] = [];
      let page = await subject.store.listFolders('many/', { limit: 77 });
      walked.push(...page.items);
      while (page.hasMore) {
        page = await subject.store.listFolders('many/', { limit: 77, after: walked.at(-1) ?? '' });
        walked.push(...page.items);
      }

      expect(walked).toEqual(many.map((one) => `many/${one}/`));
    });

    it('deletes more than a thousand at once', async () => {
      await subject.store.delete(many.map((one) => `many/${one}/record`));
      expect(await subject.store.list('many/')).toEqual({ items: [], hasMore: false });
    });
  });
}
