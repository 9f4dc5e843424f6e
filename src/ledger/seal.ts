import type { Usage } from '../domain/usage';
import type { ShardCounts } from '../domain/workflow-contract';
import type { ObjectStore } from '../storage/object-store';
import { readUnlessLost } from './read-unless-lost';

/** One of the two ordered objects of a sealed shard. */
export interface SealedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly lineCount: number;
  /** Tells whether the object is still the one that was sealed. Absent from seals of old. */
  readonly etag?: string;
}

/** What a sealed shard holds. */
export interface Seal {
  /** Null when no line belongs into it. */
  readonly output: SealedObject | null;
  readonly errors: SealedObject | null;
  readonly counts: ShardCounts;
  readonly usage: Usage;
}

/**
 * Keys of sealed objects that are gone, or are not what was sealed.
 *
 * @param isThorough reads them as well: the store may show what its disk has lost.
 */
export async function damagedObjects(
  store: ObjectStore,
  { output, errors }: Seal,
  isThorough = false,
): Promise<readonly string[]> {
  const sealed = [output, errors].filter((object) => object !== null);
  const intact = await Promise.all(
    sealed.map(
      async (object) =>
        (await isThere(store, object)) && (!isThorough || (await isReadable(store, object))),
    ),
  );
  return sealed.filter((_, at) => intact[at] !== true).map(({ key }) => key);
}

async function isThere(
  store: ObjectStore,
  { key, sizeBytes, etag }: SealedObject,
): Promise<boolean> {
  const found = await store.head(key);
  return found?.sizeBytes === sizeBytes && (etag === undefined || found.etag === etag);
}

async function isReadable(store: ObjectStore, { key, sizeBytes }: SealedObject): Promise<boolean> {
  for (let offset = 0; offset < sizeBytes; offset += readBytes) {
    const range = { offset, length: Math.min(readBytes, sizeBytes - offset) };
    const read = async (): Promise<Buffer | undefined> => await store.getRange(key, range);
    if ((await readUnlessLost(store, key, read)) === undefined) {
      return false;
    }
  }
  return true;
}

const readBytes = 4_194_304;
