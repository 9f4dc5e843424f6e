import type { ListOptions, ListPage, ObjectStore } from './object-store';

/** The ids that name the folders right below a prefix, in the store's order; others are left out. */
export async function listIds<Id extends string>(
  store: ObjectStore,
  prefix: string,
  isId: (name: string) => name is Id,
  { after, ...options }: ListOptions & { readonly after?: Id },
): Promise<ListPage<Id>> {
  const page = await store.listFolders(prefix, {
    ...options,
    ...(after !== undefined && { after: `${prefix}${after}/` }),
  });
  const ids = page.items.map((folder) => folder.slice(prefix.length, -1)).filter(isId);
  return { items: ids, hasMore: page.hasMore };
}
