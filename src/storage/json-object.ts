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
