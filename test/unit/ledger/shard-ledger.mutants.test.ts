/**
 * The property of the ledger can fail: ledgers with one mistake each do not have it.
 *
 * A mistake is made between the ledger and its store, where every order that matters is visible.
 */
import fc from 'fast-check';
import type { Readable } from 'node:stream';
import type {
  ListedObject,
  ListOptions,
  ListPage,
  ObjectInfo,
} from '../../../src/storage/object-store';
import {
  buffer,
  FaultyObjectStore,
  keysBelow,
  type PutCall,
} from '../../support/faulty-object-store';
import { ledgerProperty, type MakeStore } from '../../support/ledger-model';
import { shardKeys } from '../../support/ledgers';

const isEpoch = (key: string): boolean => key.startsWith(shardKeys.epochsPrefix);
const isSegment = (key: string): boolean => key.startsWith(shardKeys.segmentsPrefix);

class ListsNoSegments extends FaultyObjectStore {
  override async list(prefix: string, options?: ListOptions): Promise<ListPage<ListedObject>> {
    const page = await super.list(prefix, options);
    return { ...page, items: page.items.filter(({ key }) => !isSegment(key)) };
  }
}

/** Those of the epoch before the newest, as if they were of the newest. */
class ListsSegmentsOfWrongEpoch extends FaultyObjectStore {
  override async list(prefix: string, options?: ListOptions): Promise<ListPage<ListedObject>> {
    const page = await super.list(prefix, options);
    const epochs = page.items.filter(({ key }) => isEpoch(key));
    const wrong = shardKeys.segmentsOf(Math.max(0, epochs.length - 1));
    const isListed = (key: string): boolean => !isSegment(key) || key.startsWith(wrong);
    return { ...page, items: page.items.filter(({ key }) => isListed(key)) };
  }
}

/** Names a merged object in an epoch, and writes it then. */
class NamesBeforeWriting extends FaultyObjectStore {
  private readonly unwritten = new Map<string, Uint8Array>();

  override async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    const bytes = await buffer(source);
    this.unwritten.set(key, bytes);
    return { etag: 'not yet', sizeBytes: bytes.length };
  }

  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const stored = await super.put(...call);
    for (const [unwrittenKey, unwritten] of this.unwritten) {
      await super.put(unwrittenKey, unwritten);
    }
    this.unwritten.clear();
    return stored;
  }
}

/** Deletes what the next epoch names no more before there is that epoch. */
class DeletesBeforeNaming extends FaultyObjectStore {
  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const [key, bytes] = call;
    if (isEpoch(key)) {
      const record = Buffer.from(bytes).toString();
      const segments = await keysBelow(this.memory, shardKeys.segmentsPrefix);
      await super.delete(segments.filter((segment) => !record.includes(segment)));
    }
    return await super.put(...call);
  }
}

class IgnoresLostRace extends FaultyObjectStore {
  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const stored = await super.put(...call);
    return stored ?? { etag: 'of another', sizeBytes: call[1].length };
  }
}

class CreatesEpochsUnconditionally extends FaultyObjectStore {
  override async put(...[key, bytes]: PutCall): Promise<ObjectInfo | undefined> {
    return await super.put(key, bytes);
  }
}

/** Says that a segment is durable while it is still on its way. */
class AcknowledgesEarly extends FaultyObjectStore {
  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const [key, bytes] = call;
    if (!isSegment(key)) {
      return await super.put(...call);
    }
    void super.put(...call).catch(() => undefined);
    return { etag: 'not yet', sizeBytes: bytes.length };
  }
}

test.each([
  ListsNoSegments,
  ListsSegmentsOfWrongEpoch,
  NamesBeforeWriting,
  DeletesBeforeNaming,
  IgnoresLostRace,
  CreatesEpochsUnconditionally,
  AcknowledgesEarly,
])('of a ledger that %p', async (Mutant) => {
  const makeStore: MakeStore = (fateOf, memory) => new Mutant(fateOf, memory);
  const found = await fc.check(ledgerProperty({ makeStore }), {
    seed: 3,
    numRuns: 3_000,
    endOnFailure: true,
  });
  expect([Mutant.name, found.failed]).toEqual([Mutant.name, true]);
});
