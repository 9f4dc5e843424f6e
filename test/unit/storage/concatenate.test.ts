import {
  concatenate,
  type ConcatenateCalls,
  type StoredParts,
} from '../../../src/storage/concatenate';
import type { PartRef, StoredPart, UploadRef } from '../../../src/storage/multipart-upload';
import { StoreFault, type ObjectInfo, type ObjectSlice } from '../../../src/storage/object-store';

const MIB = 1024 * 1024;

/** S3, as far as it strings objects together, in memory. */
class FakeS3 implements ConcatenateCalls {
  readonly objects = new Map<string, Buffer>();
  readonly uploads = new Map<string, Map<number, Buffer>>();
  readonly log: string[] = [];
  /** From this part on, or behind the last, nothing is done, as for a process that has died. */
  deadFrom = Infinity;
  failPart: number | undefined;

  async putWhole(key: string, bytes: Buffer): Promise<ObjectInfo> {
    await Promise.resolve();
    this.log.push('put');
    return this.write(key, bytes);
  }

  async begin(key: string, check: UploadRef['check']): Promise<UploadRef> {
    await Promise.resolve();
    const uploadId = `upload-${this.log.filter((entry) => entry.startsWith('begin')).length + 1}`;
    this.log.push(`begin ${uploadId}`);
    this.uploads.set(uploadId, new Map());
    return { key, uploadId, check };
  }

  async putPart(part: PartRef, bytes: Buffer): Promise<StoredPart> {
    return await this.storePart('send', part, bytes);
  }

  async copyPart(part: PartRef, source: ObjectSlice): Promise<StoredPart> {
    return await this.storePart('copy', part, await this.getRange(source.key, source));
  }

  async storedParts({ uploadId }: UploadRef): Promise<StoredParts | undefined> {
    await Promise.resolve();
    const parts = this.uploads.get(uploadId);
    return parts && new Map([...parts.keys()].map((number) => [number, { etag: `${number}` }]));
  }

  async complete({ key, uploadId }: UploadRef, parts: readonly StoredPart[]): Promise<ObjectInfo> {
    await this.dieFrom(parts.length + 1);
    const stored = this.uploads.get(uploadId) ?? new Map<number, Buffer>();
    this.uploads.delete(uploadId);
    this.log.push(`complete ${uploadId}`);
    return this.write(
      key,
      Buffer.concat(parts.map(({ etag }) => stored.get(Number(etag)) ?? empty)),
    );
  }

  async abort({ uploadId }: UploadRef): Promise<void> {
    await Promise.resolve();
    this.uploads.delete(uploadId);
    this.log.push(`abort ${uploadId}`);
  }

  async getRange(key: string, { offset, length }: ObjectSlice): Promise<Buffer> {
    await Promise.resolve();
    return (this.objects.get(key) ?? empty).subarray(offset, offset + length);
  }

  private async storePart(way: string, part: PartRef, bytes: Buffer): Promise<StoredPart> {
    const { uploadId, partNumber } = part;
    await this.dieFrom(partNumber);
    if (partNumber === this.failPart) {
      throw new StoreFault(`part ${partNumber}`);
    }
    this.log.push(`${way} ${partNumber}`);
    this.uploads.get(uploadId)?.set(partNumber, bytes);
    return { etag: `${partNumber}` };
  }

  private async dieFrom(number: number): Promise<void> {
    await (number >= this.deadFrom ? new Promise(() => undefined) : Promise.resolve());
  }

  private write(key: string, bytes: Buffer): ObjectInfo {
    this.objects.set(key, bytes);
    return { etag: 'written', sizeBytes: bytes.length };
  }
}

const empty = Buffer.alloc(0);

/** Copied, read for being small, copied but for its head, copied. */
const sizes = [6 * MIB, 1, 12 * MIB, 5 * MIB];
const slices = sizes.map((length, index) => ({ key: `k${index}`, offset: 0, length, etag: 'e' }));
const whole = Buffer.concat(sizes.map((size, index) => Buffer.alloc(size, `${index}`)));

let s3: FakeS3;

beforeEach(() => {
  s3 = new FakeS3();
  sizes.forEach((size, index) => {
    s3.objects.set(`k${index}`, Buffer.alloc(size, `${index}`));
  });
});

/** Resolves to the token that a process has left that died with this many parts stored. */
async function dieAfter(partCount: number): Promise<string> {
  s3.deadFrom = partCount + 1;
  const token = await new Promise<string>((resolve) => {
    void concatenate(s3, 'joined', slices, { onBegun: resolve });
  });
  while ((s3.uploads.get('upload-1')?.size ?? 0) < partCount) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  s3.deadFrom = Infinity;
  s3.log.length = 0;
  return token;
}

function expectJoined(): void {
  expect(s3.objects.get('joined')?.equals(whole)).toBe(true);
  expect(s3.uploads.size).toBe(0);
}

const notAsked = (): void => {
  throw new Error('It was to go on with the upload that there is');
};

describe('concatenate', () => {
  it('copies what it can, and sends what is too small', async () => {
    await concatenate(s3, 'joined', slices);
    expect(s3.log.toSorted()).toEqual(
      ['begin upload-1', 'copy 1', 'copy 3', 'copy 4', 'send 2', 'complete upload-1'].toSorted(),
    );
    expectJoined();
  });

  it.each([1, 2, 3, 4])('goes on after a death with %i of 4 parts stored', async (partCount) => {
    const token = await dieAfter(partCount);
    await concatenate(s3, 'joined', slices, { token, onBegun: notAsked });
    expect(s3.log.filter((entry) => /copy|send/.test(entry))).toHaveLength(4 - partCount);
    expectJoined();
  });

  it('begins anew, and drops what was begun, when a source is another one now', async () => {
    const token = await dieAfter(2);
    const others = slices.map((slice) => ({ ...slice, etag: 'f' }));
    await concatenate(s3, 'joined', others, { token, onBegun: () => undefined });
    expect(s3.log.slice(0, 2)).toEqual(['abort upload-1', 'begin upload-1']);
    expectJoined();
  });

  it('begins anew when the upload is gone', async () => {
    const token = await dieAfter(2);
    s3.uploads.clear();
    const begun: string[] = [];
    await concatenate(s3, 'joined', slices, { token, onBegun: (given) => begun.push(given) });
    expect(begun).toHaveLength(1);
    expectJoined();
  });

  it.each(['', 'nonsense', 'non sense'])('begins anew with a token that is "%s"', async (token) => {
    await concatenate(s3, 'joined', slices, { token, onBegun: () => undefined });
    expect(s3.log).toContain('begin upload-1');
    expectJoined();
  });

  it('leaves nothing when it fails, and nothing to go on with', async () => {
    const token = await dieAfter(2);
    s3.failPart = 4;
    const failing = concatenate(s3, 'joined', slices, { token, onBegun: notAsked });
    await expect(failing).rejects.toThrow('part 4');
    expect(s3.uploads.size).toBe(0);
    expect(s3.objects.has('joined')).toBe(false);
  });

  it('puts whole what is small, and says nothing of having begun', async () => {
    await concatenate(s3, 'joined', slices.slice(1, 2), { onBegun: notAsked });
    expect(s3.log).toEqual(['put']);
  });
});
