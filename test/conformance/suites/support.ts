/** What the suites of the object store share. */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { ByteRange, ObjectStore } from '../../../src/storage/object-store';

export const MIB = 1024 * 1024;

/** The store, and a prefix that no other case uses; both are set when a case runs. */
export interface Subject {
  readonly store: ObjectStore;
  readonly prefix: string;
}

export async function readAll(store: ObjectStore, key: string, range?: ByteRange): Promise<Buffer> {
  return await buffer(await openRead(store, key, range));
}

/** @throws when there is nothing to read. */
export async function openRead(
  store: ObjectStore,
  key: string,
  range?: ByteRange,
): Promise<Readable> {
  const read = await store.openRead(key, range);
  if (read === undefined) {
    throw new Error(`There is no ${key}`);
  }
  return read;
}

export async function putAll(store: ObjectStore, keys: readonly string[]): Promise<void> {
  for (let from = 0; from < keys.length; from += 50) {
    const some = keys.slice(from, from + 50);
    await Promise.all(some.map(async (key) => await store.put(key, new Uint8Array())));
  }
}

export async function keysOf(
  store: ObjectStore,
  prefix: string,
  options?: { readonly after: string },
): Promise<string[]> {
  const page = await store.list(prefix, options);
  return page.items.map(({ key }) => key.slice(prefix.length));
}

/** Chunks whose sizes do not divide those of parts. */
export function* unevenChunks(bytes: Buffer): Generator<Buffer> {
  for (let offset = 0; offset < bytes.length; offset += 99_991) {
    yield bytes.subarray(offset, offset + 99_991);
  }
}

export function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
