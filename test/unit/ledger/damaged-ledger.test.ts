/**
 * Any object of a shard may be changed, cut, emptied, replaced or deleted at any time. No line is
 * lost or comes twice, and a line whose answer lies in an intact object is not answered again.
 */
import fc from 'fast-check';
import type { Readable } from 'node:stream';
import { batchKeys } from '../../../src/domain/object-keys';
import { takeOver, type ShardLedger } from '../../../src/ledger/shard-ledger';
import type { ObjectInfo, ObjectStore } from '../../../src/storage/object-store';
import { aBatchId, projectId } from '../../support/batches';
import { damageOne, damages, type Damage } from '../../support/damage';
import { FaultyObjectStore, keysBelow, type PutCall } from '../../support/faulty-object-store';
import { holdsAsync } from '../../support/holds';
import {
  Answers,
  checkSeal,
  finish,
  ledgerProperty,
  lineCount,
  ordinals,
  picks,
  SharedMemory,
} from '../../support/ledger-model';
import { aSegmentLine, ledgerOf, shardKeys, shardPrefix } from '../../support/ledgers';

const batch = batchKeys(projectId, aBatchId());

type Step =
  | { readonly type: 'commit' | 'zombie'; readonly picks: readonly number[] }
  | { readonly type: 'compact' | 'take over' }
  | { readonly type: 'damage'; readonly damage: Damage };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('commit' as const), picks }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('zombie' as const), picks }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom({ type: 'compact' as const }, { type: 'take over' as const }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('damage' as const), damage: damages }) },
);

/** Remembers what was written, and so knows what is still as it was. */
class RememberingStore extends FaultyObjectStore {
  private readonly written = new Map<string, Buffer>();

  override async put(...call: PutCall): Promise<ObjectInfo | undefined> {
    const stored = await super.put(...call);
    if (stored !== undefined) {
      const [key, bytes] = call;
      this.written.set(key, Buffer.from(bytes));
    }
    return stored;
  }

  override async putStream(key: string, source: Readable): Promise<ObjectInfo> {
    const stored = await super.putStream(key, source);
    this.written.set(key, (await this.memory.get(key))?.bytes ?? Buffer.alloc(0));
    return stored;
  }

  /** Lines that lie in segments that nobody has damaged. */
  async intactLines(): Promise<Set<string>> {
    const { segmentsPrefix, compactedPrefix } = shardKeys;
    const keys = [
      ...(await keysBelow(this.memory, segmentsPrefix)),
      ...(await keysBelow(this.memory, compactedPrefix)),
    ];
    const lines = new Set<string>();
    for (const key of keys) {
      const bytes = (await this.memory.get(key))?.bytes;
      if (bytes !== undefined && this.written.get(key)?.equals(bytes) === true) {
        bytes
          .toString('latin1')
          .split('\n')
          .forEach((line) => lines.add(line));
      }
    }
    return lines;
  }
}

/** Another shard whose objects look just like those of the one that is damaged. */
async function addForeignShard(store: ObjectStore): Promise<void> {
  const taken = await takeOver({ ...ledgerOf(store, { lineCount }), keys: batch.shard(1) });
  if (taken.seal !== undefined) {
    throw new Error('The foreign shard is new');
  }
  for (const from of [0, 3, 6]) {
    const lines = ordinals.slice(from, from + 4).slice(0, 3);
    await taken.ledger.commit(lines.map((at) => aSegmentLine(at, { text: `${at} foreign` })));
    if (from === 3) {
      await taken.ledger.compact(2);
    }
  }
}

function expectAnswered(ledger: ShardLedger, expected: ReadonlySet<number>): void {
  const answered = ledger.answeredOrdinals();
  expect([...expected].filter((ordinal) => !answered.has(ordinal))).toEqual([]);
}

class Scenario {
  readonly memory = new SharedMemory();
  readonly answers = new Answers(this.memory);
  private readonly store = new RememberingStore(undefined, this.memory);
  private readonly ledgers: ShardLedger[] = [];

  async play(steps: readonly Step[]): Promise<void> {
    await addForeignShard(this.memory);
    await this.takeOver();
    for (const each of steps) {
      await this.take(each);
    }
    await this.takeOver();
  }

  async seal(): Promise<void> {
    await this.stillThere();
    const seal = await finish(this.store, this.answers);
    await checkSeal(this.memory, this.answers, { seal });
  }

  private get newest(): ShardLedger {
    const ledger = this.ledgers.at(-1);
    if (ledger === undefined) {
      throw new Error('Nobody has taken the shard over yet');
    }
    return ledger;
  }

  private async take(taken: Step): Promise<void> {
    switch (taken.type) {
      case 'commit':
        await this.answers.commit(this.newest, { picks: taken.picks, owner: 'the owner' });
        break;
      case 'zombie':
        await this.zombieCommit(taken.picks);
        break;
      case 'compact':
        await this.newest.compact(2);
        break;
      case 'take over':
        await this.takeOver();
        break;
      case 'damage':
        await damageOne(this.memory, shardPrefix, taken.damage);
        break;
    }
  }

  /**
   * Two owners have one number when an epoch is deleted before its owner has written anything. Then
   * the answers of either may count; here it shall be known whose.
   */
  private async zombieCommit(of: readonly number[]): Promise<void> {
    const zombie = this.ledgers.at(-2);
    if (zombie !== undefined && zombie.epoch !== this.newest.epoch) {
      const takenOver = this.answers.takeoverBegins();
      await this.answers.commit(zombie, { picks: of, owner: 'a zombie' });
      takenOver();
    }
  }

  private async takeOver(): Promise<void> {
    const stillThere = await this.stillThere();
    const taken = await takeOver(ledgerOf(this.store, { lineCount }));
    if (taken.seal !== undefined) {
      throw new Error('Nobody has sealed the shard yet');
    }
    expectAnswered(taken.ledger, stillThere);
    this.ledgers.push(taken.ledger);
  }

  /** Ordinals whose answers counted, and are in an intact segment; of the others, none counts. */
  private async stillThere(): Promise<ReadonlySet<number>> {
    const intact = await this.store.intactLines();
    for (const [ordinal, text] of this.answers.safe) {
      if (!intact.has(text)) {
        this.answers.safe.delete(ordinal);
      }
    }
    return new Set(this.answers.safe.keys());
  }
}

/** A zombie's late answer lies in the way of a compacted object whose epoch is gone. */
const zombieInTheWay: readonly Step[] = [
  { type: 'take over' },
  { type: 'zombie', picks: [0] },
  { type: 'damage', damage: { kind: 'flip', pick: 1, at: 0 } },
  { type: 'commit', picks: [0] },
  { type: 'commit', picks: [1] },
  { type: 'compact' },
  { type: 'damage', damage: { kind: 'delete', pick: 3, at: 0 } },
];

test('what lies in intact objects counts, and every other line is answered once more', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
    const scenario = new Scenario();
    await scenario.play(steps);
    await scenario.seal();
  });
  await holdsAsync(property, { numRuns: 600, examples: [[[...zombieInTheWay]]] });
});

test('whatever is damaged while owners work, every line is in the seal exactly once', async () => {
  const sabotages = fc.array(
    damages.map((damage) => async (memory: ObjectStore) => {
      await damageOne(memory, shardPrefix, damage);
    }),
    { minLength: 1, maxLength: 4 },
  );
  await holdsAsync(ledgerProperty({ sabotages }), { numRuns: 300 });
});
