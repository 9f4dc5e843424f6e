/** Lists of keys and folders, on S3's ListObjectsV2. */
import {
  compareKeys,
  listLimitMax,
  type ListedObject,
  type ListOptions,
  type ListPage,
} from './object-store';

export interface EntryQuery {
  readonly prefix: string;
  readonly delimiter: '' | '/';
  /** Empty for none; S3 looks at it only where there is no token. */
  readonly startAfter: string;
  readonly token: string;
  readonly count: number;
}

/** A key, or with a delimiter a folder. */
interface Entry {
  readonly name?: string | undefined;
  readonly folder?: string | undefined;
  readonly size: number;
}

export interface EntryPage {
  readonly entries: readonly Entry[];
  /** Empty at the end. */
  readonly nextToken: string;
}

type FetchEntries = (query: EntryQuery) => Promise<EntryPage>;

export async function listKeys(
  fetch: FetchEntries,
  prefix: string,
  { after = '', limit = listLimitMax }: ListOptions = {},
): Promise<ListPage<ListedObject>> {
  const scope = { prefix, delimiter: '', after } as const;
  return await collect(fetch, scope, limit, ({ name, size }) =>
    name === undefined ? undefined : { key: name, sizeBytes: size },
  );
}

export async function listFolders(
  fetch: FetchEntries,
  prefix: string,
  { after, limit = listLimitMax }: ListOptions = {},
): Promise<ListPage<string>> {
  const scope = { prefix, delimiter: '/', after: behindFolder(prefix, after) } as const;
  return await collect(fetch, scope, limit, ({ folder }) => folder);
}

/** One more than wanted is asked for, so that `hasMore` is seen and not believed. */
async function collect<T>(
  fetch: FetchEntries,
  scope: Scope,
  limit: number,
  toItem: (entry: Entry) => T | undefined,
): Promise<ListPage<T>> {
  const startAfter = startOf(scope);
  const items: T[] = [];
  let token = '';
  while (startAfter !== undefined) {
    const count = Math.min(listLimitMax, limit + 1 - items.length);
    const page = await fetch({ ...scope, startAfter, token, count });
    items.push(...page.entries.map(toItem).filter((item) => item !== undefined));
    token = page.nextToken;
    if (token === '' || items.length > limit) {
      break;
    }
  }
  return { items: items.slice(0, limit), hasMore: items.length > limit };
}

interface Scope {
  readonly prefix: string;
  readonly delimiter: '' | '/';
  readonly after: string;
}

/** MinIO lists nothing after a key outside the prefix, also where it lies before the prefix. */
function startOf({ prefix, after }: Scope): string | undefined {
  if (after.startsWith(prefix)) {
    return after;
  }
  return compareKeys(after, prefix) < 0 ? '' : undefined;
}

/** Every key in a folder lies before the folder's name with the character behind the slash. */
function behindFolder(prefix: string, after = ''): string {
  const slash = after.startsWith(prefix) ? after.indexOf('/', prefix.length) : -1;
  return slash < 0 ? after : `${after.slice(0, slash)}0`;
}
