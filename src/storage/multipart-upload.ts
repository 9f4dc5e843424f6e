/**
 * Uploads in parts, on the few calls that S3 has for them.
 *
 * The S3 client's own upload of streams is not used: it joins whatever unfinished upload it finds
 * under the same key, and holds far more than a part in memory when the size is unknown.
 */
import type { Readable } from 'node:stream';
import { partBytes } from '../domain/limits';
import { StoreFault, type ObjectInfo, type ObjectSlice } from './object-store';
import { TaskGroup } from './task-group';

/**
 * How the store checks the bytes of a part. `crc32` costs both sides a third of what `sha256` does,
 * which is for uploads that parts are copied into: stores have no checksum of those.
 */
type PartCheck = 'crc32' | 'sha256';

export interface UploadRef {
  readonly key: string;
  readonly uploadId: string;
  readonly check: PartCheck;
}

export interface PartRef extends UploadRef {
  /** From 1. */
  readonly partNumber: number;
}

/** What the store has of a part; it is told again at the end. */
export interface StoredPart {
  readonly etag: string;
  /** In Base64, of the parts of an upload that checks it. */
  readonly crc32?: string;
}

/** Each call is retried inside and throws `StoreFault`. */
export interface MultipartCalls {
  putWhole(key: string, bytes: Buffer): Promise<ObjectInfo>;
  begin(key: string, check: PartCheck): Promise<UploadRef>;
  putPart(part: PartRef, bytes: Buffer): Promise<StoredPart>;
  copyPart(part: PartRef, source: ObjectSlice): Promise<StoredPart>;
  /** Makes the object visible; says what the store then holds. */
  complete(upload: UploadRef, parts: readonly StoredPart[]): Promise<ObjectInfo>;
  abort(upload: UploadRef): Promise<void>;
}

interface UploadOptions {
  readonly parallelMax: number;
  /** Called when a part fails, as nobody may be waiting for it at that moment. */
  readonly onFailure?: (error: unknown) => void;
}

/** One upload; parts are sent in parallel and numbered in the order in which they are added. */
export class MultipartUpload {
  private readonly parts: StoredPart[] = [];
  private readonly tasks: TaskGroup;
  private partCount = 0;

  constructor(
    private readonly calls: MultipartCalls,
    private readonly upload: UploadRef,
    options: UploadOptions,
  ) {
    this.tasks = new TaskGroup(options.parallelMax, options.onFailure);
  }

  /** Sends a part as soon as fewer than the allowed number are on their way. */
  async add(send: (part: PartRef) => Promise<StoredPart>): Promise<void> {
    const index = this.partCount;
    this.partCount += 1;
    await this.tasks.start(async () => {
      this.parts[index] = await send({ ...this.upload, partNumber: index + 1 });
    });
  }

  /** @throws {@link StoreFault} also when the object does not have the size that it should have. */
  async complete(sizeBytes: number): Promise<ObjectInfo> {
    await this.tasks.finish();
    const info = await this.calls.complete(this.upload, this.parts);
    if (info.sizeBytes !== sizeBytes) {
      throw new StoreFault(
        `The object store holds ${info.sizeBytes} of ${sizeBytes} bytes [key=${this.upload.key}]`,
      );
    }
    return info;
  }

  /** Leaves nothing behind, if the store can be reached; if not, it sweeps stale uploads itself. */
  async abort(): Promise<void> {
    await this.tasks.settle();
    await this.calls.abort(this.upload).catch(() => undefined);
  }
}

/** Two parts under way keep the store busy while the next one is filled. */
const streamedPartsMax = 2;

/**
 * Uploads a stream, holding at most three parts; one that fits a part is put whole.
 *
 * @param target `sizeBytes`: that of the stream, if known.
 */
export async function uploadStream(
  calls: MultipartCalls,
  {
    key,
    sizeBytes: expectedBytes,
  }: { readonly key: string; readonly sizeBytes?: number | undefined },
  source: Readable,
): Promise<ObjectInfo> {
  const buffers = new PartBuffers(expectedBytes);
  let upload: MultipartUpload | undefined;
  let sizeBytes = 0;
  try {
    for await (const chunk of source as AsyncIterable<Uint8Array | string>) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      sizeBytes += bytes.length;
      for (let rest = buffers.fill(bytes); rest.length > 0; rest = buffers.fill(rest)) {
        upload ??= new MultipartUpload(calls, await calls.begin(key, 'crc32'), {
          parallelMax: streamedPartsMax,
          onFailure: (error) => source.destroy(error as Error),
        });
        await sendPart(calls, upload, buffers);
      }
    }
    if (upload === undefined) {
      return await calls.putWhole(key, buffers.take());
    }
    await sendPart(calls, upload, buffers);
    return await upload.complete(sizeBytes);
  } catch (error) {
    await upload?.abort();
    throw error;
  }
}

async function sendPart(
  calls: MultipartCalls,
  upload: MultipartUpload,
  buffers: PartBuffers,
): Promise<void> {
  const bytes = buffers.take();
  await upload.add(async (part) => {
    const stored = await calls.putPart(part, bytes);
    buffers.giveBack(bytes);
    return stored;
  });
}

/** Where the size is not known: most streams are small. */
const firstBufferBytes = 64 * 1024;

/** The part that is being filled, and the memory of parts that are stored, to be used again. */
class PartBuffers {
  private current: Buffer = Buffer.alloc(0);
  private length = 0;
  private readonly spare: Buffer[] = [];

  constructor(private nextBytes = firstBufferBytes) {}

  /** Takes as much as the part still holds; returns the rest. */
  fill(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, partBytes - this.length);
    this.reserve(this.length + taken.length);
    this.current.set(taken, this.length);
    this.length += taken.length;
    return bytes.subarray(taken.length);
  }

  /** The part as it is; the next one starts empty. */
  take(): Buffer {
    const part = this.current.subarray(0, this.length);
    this.current = this.spare.pop() ?? Buffer.alloc(0);
    this.nextBytes = partBytes;
    this.length = 0;
    return part;
  }

  giveBack(part: Buffer): void {
    this.spare.push(part);
  }

  private reserve(bytes: number): void {
    if (bytes > this.current.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.min(partBytes, Math.max(bytes, this.nextBytes, 2 * this.current.length)),
      );
      this.current.copy(larger, 0, 0, this.length);
      this.current = larger;
    }
  }
}
