import { StoreFault, type ObjectStore } from '../storage/object-store';

/** With the ten minutes for which a worker repeats a call to the store, most of an hour. */
const failuresMax = 5;

/**
 * Reads an object that the store itself may have lost. On a damaged disk every read of it fails, as
 * if the store were down, and to wait for it would never end. So what cannot be read again and again,
 * while the store answers another call each time, counts as missing.
 *
 * @throws {@link StoreFault} when the store does not answer the other calls either.
 */
export async function readUnlessLost<T>(
  store: ObjectStore,
  key: string,
  read: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  for (let failures = 1; failures <= failuresMax; failures++) {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof StoreFault)) {
        throw error;
      }
      await store.list(folder, { limit: 1 });
    }
  }
  return undefined;
}
