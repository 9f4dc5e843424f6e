/**
 * The port to the object store, the only database. Any S3 can stand behind it.
 *
 * Promises, checked by one suite against every implementation (test/conformance):
 * - an object is visible whole or not at all, and durable before a write resolves;
 * - a read or a list that starts after a write resolved sees it;
 * - of several conditional writes that race, exactly one wins; a writer that lost its answer and
 *   repeats the call is told that it won;
 * - keys are listed in the order of their UTF-8 bytes.
 *
 * A key is never the folder of another (`a` and `a/b`): MinIO keeps the first and hides the second.
 *
 * A missing object is a value, never an exception. Everything that fails for reasons of the network
 * or the store is retried inside for a while and then thrown as {@link StoreFault}.
 */
import type { Readable } from 'node:stream';

export interface ObjectInfo {
  readonly etag: string;
  readonly sizeBytes: number;
}

export interface StoredObject {
  readonly etag: string;
  readonly bytes: Buffer;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
}

/** Part of an object; `length` is at least 1. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Part of one certain object: another one under its key counts as missing. */
export interface CertainRange extends ByteRange {
  readonly etag?: string;
}

/** A run of bytes of an existing object; here `length` may be 0. */
export interface ObjectSlice extends CertainRange {
  readonly key: string;
}

/**
 * `ifAbsent`: only if there is no such object. `ifEtag`: only if the object is still this one.
 *
 * A writer that has to repeat the call knows its own write by its bytes. So where it matters which
 * of several writers won, the bytes must tell them apart.
 */
export type WriteCondition = { readonly ifAbsent: true } | { readonly ifEtag: string };

/** S3: keys that one call lists. */
export const listLimitMax = 1_000;

export interface ListOptions {
  /** Only keys behind this one; in a list of folders, only folders behind it. */
  readonly after?: string;
  /** At most this many, from 1; more than {@link listLimitMax}, the default, take several calls. */
  readonly limit?: number;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  /** There are more behind the last item. */
  readonly hasMore: boolean;
}

/** For a concatenation that is gone on with, instead of begun again, after its process has died. */
export interface Resumption {
  /** What `onBegun` was told for the same key, if it was; ignored where it is of no use. */
  readonly token?: string | undefined;
  /** Told, as soon as there is something to go on with, what a repetition has to be given. */
  readonly onBegun: (token: string) => void;
}

export interface ObjectStore {
  /** Writes a small object. `undefined` when the condition did not hold. */
  put(key: string, bytes: Uint8Array, condition?: WriteCondition): Promise<ObjectInfo | undefined>;
  /**
   * Writes an object of any size from a stream, in constant memory. Nothing is visible, and nothing
   * is left behind, when the stream fails; its error is then thrown as it is. When the store fails,
   * the stream is destroyed.
   *
   * @param sizeBytes what the stream brings, where that is known: saves memory, and is not checked.
   */
  putStream(key: string, source: Readable, sizeBytes?: number): Promise<ObjectInfo>;
  /**
   * Strings slices of objects together, moving as few bytes as possible through this process.
   *
   * @throws {@link StoreFault} and leaves nothing when a slice is missing.
   */
  concatenate(
    key: string,
    slices: readonly ObjectSlice[],
    resumption?: Resumption,
  ): Promise<ObjectInfo>;
  get(key: string): Promise<StoredObject | undefined>;
  /** `undefined` also when the range is not wholly inside the object. */
  getRange(key: string, range: CertainRange): Promise<Buffer | undefined>;
  /**
   * A stream of the object, or of a range of it. `undefined` when there is none. A stream that
   * breaks off ends with a {@link StoreFault}; the reader destroys a stream that it leaves early.
   */
  openRead(key: string, range?: ByteRange): Promise<Readable | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  list(prefix: string, options?: ListOptions): Promise<ListPage<ListedObject>>;
  /** The distinct "folders" right below a prefix, each with its final slash. */
  listFolders(prefix: string, options?: ListOptions): Promise<ListPage<string>>;
  /** Deleting what does not exist succeeds. */
  delete(keys: readonly string[]): Promise<void>;
}

/** The store cannot be reached or does not do what it should; worth trying again later. */
export class StoreFault extends Error {
  override readonly name: string = 'StoreFault';
}

/** The store has no room for what is written: its disk, or a quota, is full. Reads still work. */
export class StoreFull extends StoreFault {
  override readonly name = 'StoreFull';
}

/** @throws RangeError when a range cannot be one: a bug of the caller, not a missing object. */
export function assertRange({ offset, length }: ByteRange): void {
  if (!(
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length >= 0
  )) {
    throw new RangeError(`Not a range of bytes [offset=${offset}, length=${length}]`);
  }
}

/** The order of keys: that of their UTF-8 bytes, not of JavaScript strings. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
