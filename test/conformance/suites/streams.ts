/** Objects of any size, from streams and to streams. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { digest, MIB, openRead, readAll, unevenChunks, type Subject } from './support';

export function describeStreams(subject: Subject): void {
  describe('streams', () => {
    it.each([0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 50 * MIB + 17])(
      'stores a stream of %i bytes and reads it back',
      async (sizeBytes) => {
        const bytes = randomBytes(sizeBytes);
        const info = await subject.store.putStream(
          `${subject.prefix}s`,
          Readable.from(unevenChunks(bytes)),
        );

        expect(info).toEqual(await subject.store.head(`${subject.prefix}s`));
        expect(info.sizeBytes).toBe(sizeBytes);
        expect(digest(await readAll(subject.store, `${subject.prefix}s`))).toBe(digest(bytes));
      },
    );

    it('reads a range that crosses parts', async () => {
      const bytes = randomBytes(20 * MIB);
      await subject.store.putStream(`${subject.prefix}s`, Readable.from(unevenChunks(bytes)));
      const range = { offset: 15 * MIB, length: 3 * MIB };
      const expected = bytes.subarray(range.offset, range.offset + range.length);

      expect(digest(await readAll(subject.store, `${subject.prefix}s`, range))).toBe(
        digest(expected),
      );
    });

    it('replaces an object, which stays as it was until the last byte is stored', async () => {
      await subject.store.put(`${subject.prefix}s`, Buffer.from('before'));
      let seen: string | undefined;
      async function* source(): AsyncGenerator<Buffer> {
        yield Buffer.alloc(17 * MIB);
        seen = (await subject.store.get(`${subject.prefix}s`))?.bytes.toString();
        yield Buffer.from('end');
      }
      await subject.store.putStream(`${subject.prefix}s`, Readable.from(source()));

      expect(seen).toBe('before');
      expect((await subject.store.head(`${subject.prefix}s`))?.sizeBytes).toBe(17 * MIB + 3);
    });

    it.each([10, 40 * MIB])(
      'leaves nothing when its source fails after %i bytes, and throws its error',
      async (sizeBytes) => {
        const failure = new Error('the client went away');
        async function* source(): AsyncGenerator<Buffer> {
          yield* unevenChunks(randomBytes(sizeBytes));
          await Promise.reject(failure);
        }

        await expect(
          subject.store.putStream(`${subject.prefix}s`, Readable.from(source())),
        ).rejects.toBe(failure);
        expect((await subject.store.list(subject.prefix)).items).toEqual([]);
      },
    );

    it.each([10, 40 * MIB])(
      'leaves nothing when its source is destroyed after %i bytes',
      async (sizeBytes) => {
        const chunks = unevenChunks(randomBytes(sizeBytes));
        const source = new Readable({
          read(): void {
            const next = chunks.next();
            if (next.done === true) {
              this.destroy();
            } else {
              this.push(next.value);
            }
          },
        });

        await expect(subject.store.putStream(`${subject.prefix}s`, source)).rejects.toThrow(
          'Premature close',
        );
        expect((await subject.store.list(subject.prefix)).items).toEqual([]);
      },
    );

    it('does not take the end of a stream that was destroyed before for its end', async () => {
      const source = Readable.from([Buffer.from('never read')]).destroy();
      await expect(subject.store.putStream(`${subject.prefix}s`, source)).rejects.toThrow(
        'Premature close',
      );
      expect(await subject.store.head(`${subject.prefix}s`)).toBeUndefined();
    });

    it('lets a reader leave early', async () => {
      await subject.store.put(`${subject.prefix}s`, Buffer.alloc(8 * MIB));
      const read = await openRead(subject.store, `${subject.prefix}s`);
      for await (const chunk of read) {
        expect((chunk as Buffer).length).toBeGreaterThan(0);
        break;
      }

      expect(read.destroyed).toBe(true);
      expect((await subject.store.get(`${subject.prefix}s`))?.bytes.length).toBe(8 * MIB);
    });

    it('ends a stream that its reader destroys', async () => {
      await subject.store.put(`${subject.prefix}s`, Buffer.alloc(8 * MIB));
      const read = await openRead(subject.store, `${subject.prefix}s`);
      const end = finished(read);
      read.destroy();

      await expect(end).rejects.toThrow('Premature close');
    });
  });
}
