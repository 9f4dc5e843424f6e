import type { ObjectStore } from './object-store';

/** Deletes every object below a prefix, but one if it is named. */
export async function deleteBelow(
  store: ObjectStore,
  prefix: string,
  keep?: string,
): Promise<void> {
  let after: string | undefined;
  do {
    const page = await store.list(prefix, { ...(after !== undefined && { after }) });
    await store.delete(page.items.map(({ key }) => key).filter((key) => key !== keep));
    after = page.hasMore ? page.items.at(-1)?.key : undefined;
  } while (after !== undefined);
}
