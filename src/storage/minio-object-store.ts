/**
 * The object store on any S3, through the `minio` client: translation and nothing else.
 *
 * The client is used for addresses, signatures and XML. What it leaves open is closed beside this
 * file: time limits (s3-transport.ts), retries (store-retry.ts), uploads of streams
 * (multipart-upload.ts), concatenation (concatenate.ts) and reads that resume (resuming-read.ts).
 */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { StoreConfig } from '../config/config';
import { concatenate, type ConcatenateCalls, type StoredParts } from './concatenate';
import { uploadStream, type PartRef, type StoredPart, type UploadRef } from './multipart-upload';
import {
  assertRange,
  StoreFault,
  type ByteRange,
  type CertainRange,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectInfo,
  type ObjectSlice,
  type ObjectStore,
  type Resumption,
  type StoredObject,
  type WriteCondition,
} from './object-store';
import { OutageWatch, type OutageListener } from './outage-watch';
import { ResumingRead } from './resuming-read';
import {
  absentCodes,
  collect,
  contentLength,
  etagOf,
  failureIn,
  fromMinio,
  unless,
} from './s3-answers';
import { createClient, withoutHashes, type S3Client } from './s3-client';
import {
  conditionHeaders,
  readHeaders,
  refusedConditions,
  type ReadRequest,
} from './s3-conditions';
import { listFolders, listKeys, type EntryPage, type EntryQuery } from './s3-listing';
import {
  checksumHeader,
  completionBody,
  copySourceHeaders,
  crc32Of,
  multipartEtag,
  uploadQuery,
} from './s3-parts';
import { createTransport, type S3Transport } from './s3-transport';
import { StoreRefusal, withRetry } from './store-retry';

export interface StoreTimeouts {
  readonly connectTimeoutMs: number;
  /** A call whose connection is silent for this long is tried again. */
  readonly idleTimeoutMs: number;
  /** No attempt starts later than this after the first; 0 for a single attempt. */
  readonly retryMs: number;
}

export interface StorePatience extends StoreTimeouts {
  /**
   * For large objects that are under way, where a server may be silent for long and giving up costs
   * much. As for all other calls when absent.
   */
  readonly transfers?: StoreTimeouts;
  /** Whether a store without room is waited for like one that is down. */
  readonly waitsForRoom?: boolean;
}

export const defaultTimeouts: StoreTimeouts = {
  connectTimeoutMs: 5_000,
  idleTimeoutMs: 20_000,
  retryMs: 40_000,
};

/** Connections for everything but streamed reads, which are as many as there are readers. */
const socketsMax = 64;

/** Waits without a word. */
const nobody: OutageListener = { onOutage: () => undefined, onRecovery: () => undefined };

/** S3: keys of one DeleteObjects call. */
const deleteKeysMax = 1_000;

export interface MinioObjectStore extends ObjectStore {
  /** Creates the bucket unless it exists; any number of processes may do so at once. */
  ensureBucket(): Promise<void>;
  /** Closes the connections; calls must have ended. */
  close(): void;
}

/** @param listener told of outages that the calls wait out. */
export function createMinioObjectStore(
  config: StoreConfig,
  patience: StorePatience = defaultTimeouts,
  listener: OutageListener = nobody,
): MinioObjectStore {
  return new S3ObjectStore(config, patience, new OutageWatch(listener));
}

type Attempt<T> = (attemptNumber: number) => Promise<T>;

class S3ObjectStore implements MinioObjectStore, ConcatenateCalls {
  private readonly bucket: string;
  private readonly transports: readonly S3Transport[];
  private readonly transfers: StoreTimeouts;
  private readonly client: S3Client;
  private readonly transferClient: S3Client;
  /** Of objects that are put whole: their bytes go with a checksum, as those of parts do. */
  private readonly putClient: S3Client;
  private readonly partClient: S3Client;
  /** Slow readers hold their connections; they must not keep others from theirs. */
  private readonly readClient: S3Client;

  constructor(
    config: StoreConfig,
    private readonly patience: StorePatience,
    private readonly outages: OutageWatch,
  ) {
    const isSecure = config.endpoint.startsWith('https:');
    const paced = { isSecure, socketsMax, isPacedByReader: false };
    this.transfers = patience.transfers ?? patience;
    const calls = createTransport({ ...patience, ...paced });
    const transfers = createTransport({ ...this.transfers, ...paced });
    const reads = createTransport({
      ...patience,
      isSecure,
      socketsMax: Infinity,
      isPacedByReader: true,
    });
    this.bucket = config.bucket;
    this.transports = [calls, transfers, reads];
    this.client = createClient(config, calls);
    this.transferClient = createClient(config, transfers);
    this.putClient = withoutHashes(createClient(config, calls));
    this.partClient = withoutHashes(createClient(config, transfers));
    this.readClient = createClient(config, reads);
  }

  async ensureBucket(): Promise<void> {
    await this.call(`create the bucket ${this.bucket}`, async () => {
      if (await this.client.bucketExists(this.bucket)) {
        return;
      }
      await unless(['BucketAlreadyOwnedByYou', 'BucketAlreadyExists'], async () => {
        await this.client.makeBucket(this.bucket);
      });
    });
  }

  close(): void {
    for (const transport of this.transports) {
      transport.close();
    }
  }

  async put(
    key: string,
    bytes: Uint8Array,
    condition?: WriteCondition,
  ): Promise<ObjectInfo | undefined> {
    const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return await this.call(`put an object [key=${key}]`, async (attemptNumber) => {
      const info = await unless(refusedConditions(condition), async () => {
        const headers = { ...conditionHeaders(condition), ...checksumHeader(crc32Of(payload)) };
        const options = { method: 'PUT', bucketName: this.bucket, objectName: key, headers };
        const response = await this.putClient.makeRequestAsyncOmit(options, payload);
        return { etag: etagOf(response), sizeBytes: payload.length };
      });
      return info ?? (attemptNumber > 1 ? await this.ownWrite(key, payload) : undefined);
    });
  }

  async putStream(key: string, source: Readable, sizeBytes?: number): Promise<ObjectInfo> {
    return await uploadStream(this, { key, sizeBytes }, source);
  }

  async concatenate(
    key: string,
    slices: readonly ObjectSlice[],
    resumption?: Resumption,
  ): Promise<ObjectInfo> {
    slices.forEach(assertRange);
    return await concatenate(this, key, slices, resumption);
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return await this.call(`get an object [key=${key}]`, async () => {
      const response = await this.openResponse(this.client, key, {});
      return response && { etag: etagOf(response), bytes: await collect(response) };
    });
  }

  async getRange(key: string, range: CertainRange): Promise<Buffer | undefined> {
    assertRange(range);
    // The client takes a length of 0 for "all of it".
    if (range.length === 0) {
      const found = await this.head(key);
      const isIt = range.etag === undefined || range.etag === found?.etag;
      return found && isIt && range.offset <= found.sizeBytes ? Buffer.alloc(0) : undefined;
    }
    return await this.call(`get a range [key=${key}]`, async () => {
      const response = await this.openResponse(this.client, key, { range, etag: range.etag });
      return response && (await collect(response));
    });
  }

  async openRead(key: string, range?: ByteRange): Promise<Readable | undefined> {
    if (range?.length === 0) {
      return (await this.getRange(key, range)) && Readable.from([], { objectMode: false });
    }
    if (range !== undefined) {
      assertRange(range);
    }
    const what = `read an object [key=${key}]`;
    const open = async (request: ReadRequest): Promise<IncomingMessage | undefined> =>
      await this.openResponse(this.readClient, key, request);
    const first = await this.call(what, async () => await open({ range }));
    if (first === undefined) {
      return undefined;
    }
    const etag = etagOf(first);
    const start = range?.offset ?? 0;
    const sizeBytes = contentLength(first);
    return new ResumingRead({
      first,
      sizeBytes,
      idleTimeoutMs: this.transfers.idleTimeoutMs,
      reopen: async (offset) => {
        const rest = { offset: start + offset, length: sizeBytes - offset };
        const response = await this.transfer(what, async () => await open({ range: rest, etag }));
        if (response === undefined) {
          throw new StoreFault(`An object changed while it was read [key=${key}]`);
        }
        return response;
      },
    });
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return await this.call(`look for an object [key=${key}]`, async () => {
      return await unless(absentCodes, async () => {
        const found = await this.client.statObject(this.bucket, key);
        return { etag: found.etag, sizeBytes: found.size };
      });
    });
  }

  async list(prefix: string, options?: ListOptions): Promise<ListPage<ListedObject>> {
    return await listKeys(async (query) => await this.listEntries(query), prefix, options);
  }

  async listFolders(prefix: string, options?: ListOptions): Promise<ListPage<string>> {
    return await listFolders(async (query) => await this.listEntries(query), prefix, options);
  }

  /** MinIO lets it wait, like a put, until nobody reads the object, or readers stalled for 30 s. */
  async delete(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += deleteKeysMax) {
      const some = keys.slice(from, from + deleteKeysMax);
      const [first = '', ...others] = some;
      await this.call(`delete ${some.length} objects [first=${first}]`, async () => {
        if (others.length === 0) {
          // Then there is no list to be parsed, on neither side.
          await this.transferClient.removeObject(this.bucket, first);
          return;
        }
        const failures = await this.transferClient.removeObjects(this.bucket, some);
        if (failures.length > 0) {
          throw new Error(`${failures.length} objects were not deleted`);
        }
      });
    }
  }

  async putWhole(key: string, bytes: Buffer): Promise<ObjectInfo> {
    const info = await this.put(key, bytes);
    if (info === undefined) {
      throw new StoreFault(`The object store refused a put without condition [key=${key}]`);
    }
    return info;
  }

  async begin(key: string, check: UploadRef['check']): Promise<UploadRef> {
    const headers = check === 'crc32' ? { 'x-amz-checksum-algorithm': 'CRC32' } : {};
    return await this.call(`begin an upload [key=${key}]`, async () => {
      const uploadId = await this.client.initiateNewMultipartUpload(this.bucket, key, headers);
      return { key, uploadId, check };
    });
  }

  async putPart(part: PartRef, bytes: Buffer): Promise<StoredPart> {
    const { key, partNumber, check } = part;
    const query = `partNumber=${partNumber}&${uploadQuery(part)}`;
    const options = { method: 'PUT', bucketName: this.bucket, objectName: key, query };
    return await this.transfer(`put part ${partNumber} [key=${key}]`, async () => {
      if (check === 'sha256') {
        return { etag: etagOf(await this.transferClient.makeRequestAsyncOmit(options, bytes)) };
      }
      const crc32 = crc32Of(bytes);
      const headers = checksumHeader(crc32);
      const response = await this.partClient.makeRequestAsyncOmit({ ...options, headers }, bytes);
      return { etag: etagOf(response), crc32 };
    });
  }

  async copyPart({ key, uploadId, partNumber }: PartRef, source: ObjectSlice): Promise<StoredPart> {
    const headers = copySourceHeaders(this.bucket, source);
    const what = `copy part ${partNumber} [key=${key}, from=${source.key}]`;
    return await this.transfer(what, async () => {
      const { etag } = await this.transferClient.uploadPart({
        bucketName: this.bucket,
        objectName: key,
        uploadID: encodeURIComponent(uploadId),
        partNumber,
        headers,
      });
      return { etag };
    });
  }

  async storedParts({ key, uploadId }: UploadRef): Promise<StoredParts | undefined> {
    return await this.call(`list the parts of an upload [key=${key}]`, async () => {
      return await unless(['NoSuchUpload'], async () => {
        const parts = await this.client.listParts(this.bucket, key, uploadId);
        return new Map(parts.map(({ part, etag }) => [part, { etag }]));
      });
    });
  }

  /** A repetition after a lost answer finds no upload, but the object that it became. */
  async complete(upload: UploadRef, parts: readonly StoredPart[]): Promise<ObjectInfo> {
    const { key } = upload;
    return await this.transfer(`complete an upload [key=${key}]`, async (attemptNumber) => {
      const ignored = attemptNumber > 1 ? ['NoSuchUpload'] : [];
      const completed = await unless(ignored, async () => {
        await this.sendCompletion(upload, parts);
        return true;
      });
      const info = await this.head(key);
      const isOurs = completed === true || info?.etag === multipartEtag(parts);
      if (info === undefined || !isOurs) {
        throw new StoreRefusal('NoSuchUpload', 'the upload is gone, and the object is not its');
      }
      return info;
    });
  }

  async abort({ key, uploadId }: UploadRef): Promise<void> {
    await this.call(`abort an upload [key=${key}]`, async () => {
      await unless(['NoSuchUpload'], async () => {
        await this.client.abortMultipartUpload(this.bucket, key, encodeURIComponent(uploadId));
      });
    });
  }

  private async sendCompletion(upload: UploadRef, parts: readonly StoredPart[]): Promise<void> {
    const response = await this.transferClient.makeRequestAsync(
      {
        method: 'POST',
        bucketName: this.bucket,
        objectName: upload.key,
        query: uploadQuery(upload),
      },
      completionBody(parts),
    );
    const failure = failureIn((await collect(response)).toString());
    if (failure !== undefined) {
      throw failure as Error;
    }
  }

  private async call<T>(what: string, call: Attempt<T>): Promise<T> {
    return await this.retry(what, this.patience, call);
  }

  private async transfer<T>(what: string, call: Attempt<T>): Promise<T> {
    return await this.retry(what, this.transfers, call);
  }

  private async retry<T>(what: string, timeouts: StoreTimeouts, call: Attempt<T>): Promise<T> {
    const policy = { ...this.patience, retryMs: timeouts.retryMs };
    return await this.outages.during(
      async (onFailure) =>
        await withRetry(what, policy, async (attemptNumber) => {
          try {
            return await call(attemptNumber);
          } catch (error) {
            const cause = fromMinio(error);
            onFailure(cause);
            throw cause;
          }
        }),
    );
  }

  /** `undefined` when there is no such object, or not all of the range, or another etag. */
  private async openResponse(
    client: S3Client,
    key: string,
    read: ReadRequest,
  ): Promise<IncomingMessage | undefined> {
    const headers = readHeaders(read);
    const options = { method: 'GET', bucketName: this.bucket, objectName: key, headers };
    const response = await unless(
      [...absentCodes, 'InvalidRange', 'PreconditionFailed'],
      async () => {
        return await client.makeRequestAsync(options, '', [200, 206]);
      },
    );
    if (response && read.range && contentLength(response) !== read.range.length) {
      response.on('error', () => undefined).destroy();
      return undefined;
    }
    return response;
  }

  /**
   * After an answer was lost, a refused condition may be the work of the write itself: then the
   * object holds its bytes.
   */
  private async ownWrite(key: string, bytes: Buffer): Promise<ObjectInfo | undefined> {
    const stored = await this.get(key);
    return stored?.bytes.equals(bytes) === true
      ? { etag: stored.etag, sizeBytes: bytes.length }
      : undefined;
  }

  private async listEntries(query: EntryQuery): Promise<EntryPage> {
    const { prefix, delimiter, startAfter, token, count } = query;
    return await this.call(`list objects [prefix=${prefix}]`, async () => {
      const page = await this.client.listObjectsV2Query(
        this.bucket,
        prefix,
        token,
        delimiter,
        count,
        startAfter,
      );
      return {
        entries: page.objects.map(({ name, prefix: folder, size }) => ({ name, folder, size })),
        nextToken: page.isTruncated ? page.nextContinuationToken : '',
      };
    });
  }
}
