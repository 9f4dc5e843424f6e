/** Slices of one shard, in the hands of a test: what they ask, when they stop, what they leave. */
import type { MockActivityEnvironment } from '@temporalio/testing';
import { batchKeys, type ShardKeys } from '../../src/domain/object-keys';
import type { ShardRef, SliceResult } from '../../src/domain/workflow-contract';
import type { Seal } from '../../src/ledger/seal';
import { readSeal } from '../../src/ledger/shard-ledger';
import {
  ActivityWorld,
  anEnvironment,
  createRunningBatch,
  parseLines,
  type ResultLine,
} from './activity-world';
import { requestLines } from './batches';
import { eventually, fakeTimers, settle } from './eventually';
import { answered } from './fake-dispatcher';
import { sealedText } from './ledgers';

/** More than the dispatcher of the tests takes at a time. */
export const lineCount = 40;
export const inFlightMax = 32;

export class SliceWorld extends ActivityWorld {
  async aShard(input = requestLines(lineCount)): Promise<ShardRef> {
    const { shards } = await createRunningBatch(this, input);
    const [shard] = shards;
    if (shard === undefined) {
      throw new Error('The batch of a test has no shard');
    }
    return shard;
  }

  async sealOf(shard: ShardRef): Promise<Seal> {
    const seal = await readSeal({ store: this.store, keys: keysOf(shard) });
    if (seal === undefined) {
      throw new Error('The shard of a test is not sealed');
    }
    return seal;
  }

  /** The lines of a sealed shard. */
  async linesOf(shard: ShardRef): Promise<{ output: ResultLine[]; errors: ResultLine[] }> {
    const { output, errors } = await this.sealOf(shard);
    return {
      output: parseLines(await sealedText(this.store, output)),
      errors: parseLines(await sealedText(this.store, errors)),
    };
  }

  /**
   * Starts a slice whose first lines are answered and whose others stay in flight.
   *
   * @returns its result in an array: a promise would be waited for.
   */
  async startHeld(
    shard: ShardRef,
    options: {
      readonly environment?: MockActivityEnvironment;
      readonly answeredCount?: number;
    } = {},
  ): Promise<[Promise<SliceResult>]> {
    const { environment = anEnvironment(), answeredCount = 0 } = options;
    this.dispatcher.respond = ({ ordinal }) =>
      ordinal < answeredCount ? answered('"early"') : undefined;
    const slice = this.runSlice(shard, environment);
    slice.catch(() => undefined);
    await eventually('lines in flight', () => this.dispatcher.heldCount > 0);
    await settle();
    return [slice];
  }

  /** Runs the shard to its seal; tells which lines were asked on the way. */
  async finish(shard: ShardRef): Promise<number[]> {
    const before = this.dispatcher.asked.length;
    this.dispatcher.respond = ({ ordinal }) => answered(`{"ordinal":${ordinal}}`);
    if (!(await this.runSlice(shard)).sealed) {
      throw new Error('The shard of a test could not be sealed');
    }
    return this.dispatcher.askedOrdinals.slice(before);
  }
}

/** A new world for each test, in faked time; at its end nothing is held and no timer runs. */
export function useSliceWorld(
  use: (world: SliceWorld) => void,
  makeWorld = (): SliceWorld => new SliceWorld(),
): void {
  let world: SliceWorld;
  beforeEach(() => {
    fakeTimers();
    world = makeWorld();
    use(world);
  });
  afterEach(() => {
    expect(world.budget.bytesHeld).toBe(0);
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });
}

export function keysOf(shard: ShardRef): ShardKeys {
  return batchKeys(shard.projectId, shard.batchId).shard(shard.shardIndex);
}

export function ordinals(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

/** Lets seconds of faked time pass, and what they cause happen. */
export async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    await jest.advanceTimersByTimeAsync(1_000);
    await settle(5);
  }
}
