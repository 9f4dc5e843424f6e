import type { Usage } from '../domain/usage';
import type { ShardCounts } from '../domain/workflow-contract';
import type { ObjectInfo, ObjectStore } from '../storage/object-store';

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

/** Keys of sealed objects that are gone, or are not what was sealed. */
export async function damagedObjects(
  store: ObjectStore,
  { output, errors }: Seal,
): Promise<readonly string[]> {
  const sealed = [output, errors].filter((object) => object !== null);
  const found = await Promise.all(sealed.map(async ({ key }) => await store.head(key)));
  return sealed.filter((object, at) => !isSame(object, found[at])).map(({ key }) => key);
}

function isSame({ sizeBytes, etag }: SealedObject, found: ObjectInfo | undefined): boolean {
  return found?.sizeBytes === sizeBytes && (etag === undefined || found.etag === etag);
}
