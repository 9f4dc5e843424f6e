/** Shards' ledgers and the lines in them, as tests need them. */
import { batchKeys } from '../../src/domain/object-keys';
import { outcomeKinds, type Outcome } from '../../src/domain/outcome';
import { noUsage, type Usage } from '../../src/domain/usage';
import type { Seal, SealedObject } from '../../src/ledger/seal';
import type { SegmentLine } from '../../src/ledger/segment';
import {
  takeOver,
  type LedgerOptions,
  type RecentSegments,
  type ShardLedger,
} from '../../src/ledger/shard-ledger';
import type { ObjectStore } from '../../src/storage/object-store';
import { aBatchId, projectId } from './batches';
import { textOf } from './faulty-object-store';

export const shardKeys = batchKeys(projectId, aBatchId()).shard(0);
/** All that belongs to that shard. */
export const shardPrefix = shardKeys.epochsPrefix.replace(/[^/]+\/$/, '');

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
    pieces: [Buffer.from(`${text}\n`)],
    usage: { ...noUsage, ...usage },
  };
}

let tokens = 0;

interface ShardOptions {
  /** Lines of the shard, from ordinal 0; those that a test answers when it seals. */
  readonly lineCount?: number;
  /** Gathers the keys of objects that are not as they should be. */
  readonly damaged?: string[];
  readonly recent?: RecentSegments;
}

/** How the ledger of the tests' shard is opened. */
export function ledgerOf(store: ObjectStore, options: ShardOptions = {}): LedgerOptions {
  const { lineCount = 10_000, damaged = [], recent } = options;
  return {
    store,
    keys: shardKeys,
    shard: { firstOrdinal: 0, lineCount },
    ...(recent && { recent }),
    makeToken: () => `token-${(tokens += 1)}`,
    onDamaged: (key) => damaged.push(key),
  };
}

export async function takeShardOver(
  store: ObjectStore,
  options: ShardOptions = {},
): ReturnType<typeof takeOver> {
  return await takeOver(ledgerOf(store, options));
}

/** The ledger of a shard that is not sealed. */
export async function openLedger(
  store: ObjectStore,
  options: ShardOptions = {},
): Promise<ShardLedger> {
  const taken = await takeShardOver(store, options);
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
