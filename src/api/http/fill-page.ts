import type { ListPage } from '../../storage/object-store';

/** Objects read at a time for one list request. */
const readsMax = 16;
/** Ids asked for at a time when earlier ones turned out to be gone. */
const idsMin = 100;
const idsMax = 1_000;

interface PageOptions<Id, Item> {
  readonly after: Id | undefined;
  readonly limit: number;
  readonly listIds: (options: {
    readonly after?: Id;
    readonly limit: number;
  }) => Promise<ListPage<Id>>;
  /** `undefined` for an id that the list does not show. */
  readonly load: (id: Id) => Promise<Item | undefined>;
}

/**
 * A full page of the items behind `after`, also when many ids in between have none. It looks for one
 * item more than it returns, so that `hasMore` never promises an empty page.
 */
export async function fillPage<Id, Item>(options: PageOptions<Id, Item>): Promise<ListPage<Item>> {
  const items: Item[] = [];
  let after = options.after;
  let wanted = options.limit + 1;
  for (;;) {
    const ids = await options.listIds({
      ...(after !== undefined && { after }),
      limit: Math.min(wanted, idsMax),
    });
    items.push(...(await loadAll(ids.items, options)));
    after = ids.items.at(-1);
    if (items.length > options.limit || !ids.hasMore || after === undefined) {
      break;
    }
    wanted = Math.max(options.limit + 1 - items.length, idsMin);
  }
  return { items: items.slice(0, options.limit), hasMore: items.length > options.limit };
}

async function loadAll<Id, Item>(
  ids: readonly Id[],
  { load }: PageOptions<Id, Item>,
): Promise<Item[]> {
  const loaded = new Array<Item | undefined>(ids.length);
  const rest = ids.entries();
  const readNext = async (): Promise<void> => {
    for (const [index, id] of rest) {
      loaded[index] = await load(id);
    }
  };
  await Promise.all(Array.from({ length: readsMax }, readNext));
  return loaded.filter((item) => item !== undefined);
}
