/** Small JSON objects on the store. */
import type { ObjectInfo, ObjectStore, WriteCondition } from './object-store';

export interface StoredJson<T> {
  readonly value: T;
  readonly etag: string;
}

/** Reads an object that only Longhaul writes; its shape is the writer's promise. */
export async function getJson<T>(
  store: ObjectStore,
  key: string,
): Promise<StoredJson<T> | undefined> {
  const stored = await store.get(key);
  return stored && { value: JSON.parse(stored.bytes.toString('utf8')) as T, etag: stored.etag };
}

export async function putJson(
  store: ObjectStore,
  key: string,
  value: unknown,
  condition?: WriteCondition,
): Promise<ObjectInfo | undefined> {
  return await store.put(key, Buffer.from(JSON.stringify(value)), condition);
}

/**
 * Changes an object by compare-and-swap, however often others change it meanwhile; returns what holds
 * then.
 *
 * @param change gets `undefined` when there is no object. Nothing is written when it returns
 *   `undefined`, or the very value that it was given. May be called several times.
 */
export async function changeJson<T, R extends T | undefined>(
  store: ObjectStore,
  key: string,
  change: (value: T | undefined) => R,
): Promise<R> {
  for (;;) {
    const stored = await getJson<T>(store, key);
    const next = change(stored?.value);
    if (next === undefined || next === stored?.value) {
      return next;
    }
    const condition =
      stored === undefined ? ({ ifAbsent: true } as const) : { ifEtag: stored.etag };
    if ((await putJson(store, key, next, condition)) !== undefined) {
      return next;
    }
  }
}
