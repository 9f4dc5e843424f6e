import type { Readable } from 'node:stream';
import { MemoryObjectStore } from '../../src/storage/memory-object-store';
import {
  StoreFault,
  type ByteRange,
  type CertainRange,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectInfo,
  type ObjectSlice,
  type ObjectStore,
  type Resumption,
  type StoredObject,
} from '../../src/storage/object-store';

export interface StoreCall {
  readonly name: keyof ObjectStore;
  /** The key, the prefix, or the first of several keys. */
  readonly key: string;
}

/** What the store is given with a `put`. */
export type PutCall = Parameters<ObjectStore['put']>;

/**
 * What becomes of a call: it works, it fails, it works and its answer is lost, or it fails for the
 * caller and works when the test says so. A promise is waited for first.
 */
export type Fate = 'works' | 'fails' | 'answer_lost' | 'lands_late';

/**
 * An object store in memory whose calls fail as a test says. Several may share one memory, as
 * processes share one server.
 */
export class FaultyObjectStore implements ObjectStore {
  readonly calls: StoreCall[] = [];
  /** What each concatenation was given to go on with; each is said to have begun. */
  readonly resumptions: { readonly key: string; readonly token: string | undefined }[] = [];
  /** Given what is to be done for a call that lands late. */
  landLater: (land: () => Promise<unknown>, call: StoreCall) => void = () => {
    throw new Error('This test does not say when a call lands');
  };

  constructor(
    /** Replaced by a test when the calls that follow shall end otherwise. */
    public fateOf: (call: StoreCall) => Fate | Promise<Fate> = () => 'works',
    readonly memory = new MemoryObjectStore(),
  ) {}

  async put(...[key, ...rest]: PutCall): Promise<ObjectInfo | undefined> {
    return await this.call({ name: 'put', key }, async () => await this.memory.put(key, ...rest));
  }

  async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    return await this.call(
      { name: 'putStream', key },
      async () => await this.memory.putStream(key, source),
      async () => {
        const bytes = await buffer(source);
        return async () => await this.memory.put(key, bytes);
      },
    );
  }

  async concatenate(
    key: string,
    slices: readonly ObjectSlice[],
    resumption?: Resumption,
  ): Promise<ObjectInfo> {
    this.resumptions.push({ key, token: resumption?.token });
    resumption?.onBegun(`begun ${key}`);
    return await this.call(
      { name: 'concatenate', key },
      async () => await this.memory.concatenate(key, slices),
    );
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return await this.call({ name: 'get', key }, async () => await this.memory.get(key));
  }

  async getRange(key: string, range: CertainRange): Promise<Buffer | undefined> {
    return await this.call(
      { name: 'getRange', key },
      async () => await this.memory.getRange(key, range),
    );
  }

  async openRead(key: string, range?: ByteRange): Promise<Readable | undefined> {
    return await this.call(
      { name: 'openRead', key },
      async () => await this.memory.openRead(key, range),
    );
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return await this.call({ name: 'head', key }, async () => await this.memory.head(key));
  }

  async list(prefix: string, options?: ListOptions): Promise<ListPage<ListedObject>> {
    return await this.call(
      { name: 'list', key: prefix },
      async () => await this.memory.list(prefix, options),
    );
  }

  async listFolders(prefix: string, options?: ListOptions): Promise<ListPage<string>> {
    return await this.call(
      { name: 'listFolders', key: prefix },
      async () => await this.memory.listFolders(prefix, options),
    );
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.call({ name: 'delete', key: keys[0] ?? '' }, async () => {
      await this.memory.delete(keys);
    });
  }

  /** @param lateWork what a late landing does; it has been sent all that it needs. */
  protected async call<T>(
    call: StoreCall,
    work: () => Promise<T>,
    lateWork: () => Promise<() => Promise<unknown>> = async () => await Promise.resolve(work),
  ): Promise<T> {
    this.calls.push(call);
    const fate = await this.fateOf(call);
    if (fate === 'lands_late') {
      this.landLater(await lateWork(), call);
    }
    if (fate === 'fails' || fate === 'lands_late') {
      throw new StoreFault(`The store was told to fail [key=${call.key}]`);
    }
    const result = await work();
    if (fate === 'answer_lost') {
      throw new StoreFault(`The answer of the store was lost [key=${call.key}]`);
    }
    return result;
  }
}

/** All bytes of a stream. */
export async function buffer(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks);
}

/** Every key below a prefix, in the store's order. */
export async function keysBelow(store: ObjectStore, prefix: string): Promise<string[]> {
  const page = await store.list(prefix);
  return page.items.map(({ key }) => key);
}

/** The content of an object as text; `undefined` when there is none. */
export async function textOf(store: ObjectStore, key: string): Promise<string | undefined> {
  return (await store.get(key))?.bytes.toString('utf8');
}
