/** Shards' ledgers and the lines in them, as tests need them. */
import { batchKeys } from '../../src/domain/object-keys';
import { outcomeKinds, type Outcome } from '../../src/domain/outcome';
import { noUsage, type Usage } from '../../src/domain/usage';
import type { Seal, SealedObject } from '../../src/ledger/seal';
import type { SegmentLine } from '../../src/ledger/segment';
import { takeOver, type ShardLedger } from '../../src/ledger/shard-ledger';
import type { ObjectStore } from '../../src/storage/object-store';
import { aBatchId, projectId } from './batches';
import { textOf } from './faulty-object-store';

export const shardKeys = batchKeys(projectId, aBatchId()).shard(0);

export function aSegmentLine(
  ordinal: number,
  changes: {
    readonly outcome?: Outcome;
    readonly text?: string;
    readonly usage?: Partial<Usage>;
  } = {},
): SegmentLine {
  const { outcome = 'completed', text = `line ${ordinal}`, usage } = changes;
  return {
    ordinal,
    kind: outcomeKinds[outcome],
    bytes: Buffer.from(`${text}\n`),
    usage: { ...noUsage, ...usage },
  };
}

let tokens = 0;

/** Takes the shard over; `corrupt` gathers the keys of segments that are not as they should be. */
export async function takeShardOver(
  store: ObjectStore,
  corrupt: string[] = [],
): ReturnType<typeof takeOver> {
  return await takeOver({
    store,
    keys: shardKeys,
    makeToken: () => `token-${(tokens += 1)}`,
    onCorrupt: (key) => corrupt.push(key),
  });
}

/** The ledger of a shard that is not sealed. */
export async function openLedger(store: ObjectStore, corrupt: string[] = []): Promise<ShardLedger> {
  const taken = await takeShardOver(store, corrupt);
  if (taken.seal !== undefined) {
    throw new Error('The shard of a test is sealed');
  }
  return taken.ledger;
}

/** The text of a sealed object; empty for none. Fails when it is not as large as it says. */
export async function sealedText(store: ObjectStore, object: SealedObject | null): Promise<string> {
  const text = object === null ? '' : await textOf(store, object.key);
  if (text === undefined || Buffer.byteLength(text) !== (object?.sizeBytes ?? 0)) {
    throw new Error('A sealed object is not what its seal says');
  }
  return text;
}

export async function sealedLines(
  store: ObjectStore,
  seal: Seal,
): Promise<{ readonly output: readonly string[]; readonly errors: readonly string[] }> {
  const linesOf = async (object: SealedObject | null): Promise<string[]> =>
    (await sealedText(store, object)).split('\n').slice(0, -1);
  return { output: await linesOf(seal.output), errors: await linesOf(seal.errors) };
}
