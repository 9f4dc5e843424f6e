import { Readable } from 'node:stream';
import { partBytes } from '../../../src/domain/limits';
import {
  uploadStream,
  type MultipartCalls,
  type PartRef,
  type StoredPart,
  type UploadRef,
} from '../../../src/storage/multipart-upload';
import { StoreFault, type ObjectInfo } from '../../../src/storage/object-store';

/** Uploads in memory; parts wait until they are let through, if they are held. */
class FakeUploads implements MultipartCalls {
  readonly log: string[] = [];
  readonly parts: Buffer[] = [];
  whole: Buffer | undefined;
  runningMax = 0;
  failPart: number | undefined;
  /** What the store claims to hold more than it was sent. */
  surplusBytes = 0;
  private running = 0;

  async putWhole(_: string, bytes: Buffer): Promise<ObjectInfo> {
    await Promise.resolve();
    this.whole = Buffer.from(bytes);
    return { etag: 'whole', sizeBytes: bytes.length };
  }

  async begin(key: string, check: UploadRef['check']): Promise<UploadRef> {
    await Promise.resolve();
    this.log.push('begin');
    return { key, uploadId: 'upload', check };
  }

  async putPart({ partNumber }: PartRef, bytes: Buffer): Promise<StoredPart> {
    this.running += 1;
    this.runningMax = Math.max(this.running, this.runningMax);
    await new Promise((resolve) => setImmediate(resolve));
    this.running -= 1;
    if (partNumber === this.failPart) {
      throw new StoreFault(`part ${partNumber}`);
    }
    this.parts[partNumber - 1] = Buffer.from(bytes);
    return { etag: `etag-${partNumber}` };
  }

  async copyPart(): Promise<StoredPart> {
    return await Promise.reject(new Error('A stream has nothing to copy'));
  }

  async complete(upload: UploadRef, parts: readonly StoredPart[]): Promise<ObjectInfo> {
    await Promise.resolve();
    const etags = parts.map(({ etag }) => etag);
    this.log.push(`complete ${upload.uploadId} ${etags.join(' ')}`);
    const sizeBytes = this.parts.reduce((sum, part) => sum + part.length, this.surplusBytes);
    return { etag: 'parts', sizeBytes };
  }

  async abort(): Promise<void> {
    this.log.push(`abort with ${this.running} running`);
    await Promise.reject(new StoreFault('The upload cannot be aborted'));
  }
}

/** Bytes that differ at every position of every part. */
function bytesOf(length: number): Buffer {
  return Buffer.from(
    Uint32Array.from({ length: Math.ceil(length / 4) }, (_, i) => i).buffer,
  ).subarray(0, length);
}

function chunked(bytes: Buffer): Readable {
  return Readable.from(
    (function* (): Generator<Buffer> {
      for (let offset = 0; offset < bytes.length; offset += 700_001) {
        yield bytes.subarray(offset, offset + 700_001);
      }
    })(),
  );
}

describe('uploadStream', () => {
  it.each([0, 1, 700_001, partBytes])('puts %i bytes whole', async (length) => {
    const uploads = new FakeUploads();
    const info = await uploadStream(uploads, { key: 'key' }, chunked(bytesOf(length)));

    expect(info.sizeBytes).toBe(length);
    expect(uploads.whole?.equals(bytesOf(length))).toBe(true);
    expect(uploads.log).toEqual([]);
  });

  it.each([0, 10, 700_001, 3 * partBytes])(
    'takes %i bytes for the expected size, whatever comes',
    async (sizeBytes) => {
      for (const length of [700_001, partBytes + 1]) {
        const uploads = new FakeUploads();
        const bytes = bytesOf(length);
        await uploadStream(uploads, { key: 'key', sizeBytes }, chunked(bytes));

        const stored = uploads.whole ?? Buffer.concat(uploads.parts);
        expect(stored.equals(bytes)).toBe(true);
      }
    },
  );

  it('sends full parts in order, two at a time, and the rest at the end', async () => {
    const uploads = new FakeUploads();
    const bytes = bytesOf(5 * partBytes + 3);
    await uploadStream(uploads, { key: 'key' }, chunked(bytes));

    expect(uploads.parts.map((part) => part.length)).toEqual([...Array(5).fill(partBytes), 3]);
    expect(Buffer.concat(uploads.parts).equals(bytes)).toBe(true);
    expect(uploads.runningMax).toBe(2);
    expect(uploads.log).toEqual([
      'begin',
      'complete upload etag-1 etag-2 etag-3 etag-4 etag-5 etag-6',
    ]);
  });

  it('cuts a chunk that is larger than several parts', async () => {
    const uploads = new FakeUploads();
    const bytes = bytesOf(2 * partBytes + 10);
    await uploadStream(uploads, { key: 'key' }, Readable.from([bytes]));

    expect(Buffer.concat(uploads.parts).equals(bytes)).toBe(true);
  });

  it('throws the error of the source, and aborts when no part is on its way any more', async () => {
    const uploads = new FakeUploads();
    const failure = new Error('reset');
    async function* source(): AsyncGenerator<Buffer> {
      yield bytesOf(2 * partBytes + 10);
      await Promise.reject(failure);
    }

    await expect(uploadStream(uploads, { key: 'key' }, Readable.from(source()))).rejects.toBe(
      failure,
    );
    expect(uploads.log).toEqual(['begin', 'abort with 0 running']);
  });

  it('does not wait for a silent source when a part has failed', async () => {
    const uploads = new FakeUploads();
    uploads.failPart = 1;
    const source = new Readable({ read: () => undefined });
    source.push(bytesOf(partBytes + 1));

    await expect(uploadStream(uploads, { key: 'key' }, source)).rejects.toThrow('part 1');
    expect(source.destroyed).toBe(true);
    expect(uploads.log).toEqual(['begin', 'abort with 0 running']);
  });

  it('fails when the last part fails', async () => {
    const uploads = new FakeUploads();
    uploads.failPart = 3;

    await expect(
      uploadStream(uploads, { key: 'key' }, chunked(bytesOf(2 * partBytes + 1))),
    ).rejects.toThrow('part 3');
    expect(uploads.log).toEqual(['begin', 'abort with 0 running']);
  });

  it('does not believe a store that holds another number of bytes', async () => {
    const uploads = new FakeUploads();
    uploads.surplusBytes = -1;

    await expect(
      uploadStream(uploads, { key: 'key' }, chunked(bytesOf(partBytes + 5))),
    ).rejects.toThrow(`holds ${partBytes + 4} of ${partBytes + 5} bytes [key=key]`);
  });
});
