import type { ObjectStore } from './object-store';

/** Deletes the objects below a prefix, or those of them that are meant. */
export async function deleteBelow(
  store: ObjectStore,
  prefix: string,
  isMeant: (key: string) => boolean = () => true,
): Promise<void> {
  let after: string | undefined;
  do {
    const page = await store.list(prefix, { ...(after !== undefined && { after }) });
    await store.delete(page.items.map(({ key }) => key).filter(isMeant));
    after = page.hasMore ? page.items.at(-1)?.key : undefined;
  } while (after !== undefined);
}
