import { unansweredFailures, type EarlyEndReason } from '../../../src/domain/outcome';
import type { ShardRef } from '../../../src/domain/workflow-contract';
import { StoreFault } from '../../../src/storage/object-store';
import { anEnvironment, endBatch } from '../../support/activity-world';
import { customIdOf, requestLine, requestLines } from '../../support/batches';
import { eventually } from '../../support/eventually';
import { answered } from '../../support/fake-dispatcher';
import { keysBelow, type Fate } from '../../support/faulty-object-store';
import {
  keysOf,
  lineCount,
  ordinals,
  seconds,
  SliceWorld,
  useSliceWorld,
} from '../../support/slice-world';

let world: SliceWorld;

useSliceWorld((fresh) => {
  world = fresh;
});

async function close(
  shard: ShardRef,
  reason: EarlyEndReason = 'cancelled',
  environment = anEnvironment(),
): Promise<void> {
  await world.run(async (control) => {
    await control.closeShard({ shard, reason });
  }, environment);
}

test('requests without an answer become lines of the error file, answers are kept', async () => {
  const shard = await world.aShard();
  const [slice] = await world.startHeld(shard, { answeredCount: 4 });
  await endBatch(world, shard, 'cancelled');
  await seconds(32);
  await slice;
  await close(shard);
  const { output, errors } = await world.linesOf(shard);
  expect(output.map(({ custom_id }) => custom_id)).toEqual(ordinals(0, 4).map(customIdOf));
  expect(errors.map(({ custom_id }) => custom_id)).toEqual(ordinals(4, lineCount).map(customIdOf));
  expect(errors[0]).toMatchObject({ response: null, error: unansweredFailures.cancelled });
  expect(await world.sealOf(shard)).toMatchObject({ counts: { completed: 4, failed: 0 } });
});

test.each(['expired', 'failed'] as const)(
  'the lines of a batch that has %s say so',
  async (reason) => {
    const shard = await world.aShard(requestLines(2));
    await close(shard, reason);
    const { output, errors } = await world.linesOf(shard);
    expect(output).toEqual([]);
    expect(errors.map(({ error }) => error)).toEqual(new Array(2).fill(unansweredFailures[reason]));
    expect(await world.sealOf(shard)).toMatchObject({ counts: { completed: 0, failed: 0 } });
  },
);

test('no upstream is asked', async () => {
  const shard = await world.aShard();
  await close(shard);
  expect(world.dispatcher.sessions).toEqual([]);
});

test('a custom id is written as the client wrote it', async () => {
  const shard = await world.aShard(requestLine(0).replace('"request-0"', '"\\u0061\\/b"'));
  await close(shard);
  const { errors } = await world.sealOf(shard);
  const bytes = errors && (await world.store.get(errors.key))?.bytes;
  expect(bytes?.toString()).toContain('"custom_id":"\\u0061\\/b",');
});

test('a shard that is sealed stays as it is', async () => {
  const shard = await world.aShard(requestLines(2));
  world.dispatcher.respond = () => answered('1');
  await world.runSlice(shard);
  const seal = await world.sealOf(shard);
  await close(shard);
  await close(shard, 'expired');
  expect(await world.sealOf(shard)).toEqual(seal);
  expect(await keysBelow(world.store, keysOf(shard).epochsPrefix)).toHaveLength(2);
});

test.each(['put', 'putStream', 'openRead'] as const)(
  'after %s has failed the shard is closed by the next attempt',
  async (failing) => {
    const shard = await world.aShard();
    world.store.fateOf = ({ name }) => (name === failing ? 'fails' : 'works');
    await expect(close(shard)).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    await close(shard);
    const { errors } = await world.linesOf(shard);
    expect(errors).toHaveLength(lineCount);
  },
);

test('a slice that is still alive loses the shard', async () => {
  const shard = await world.aShard(requestLines(3));
  const [slice] = await world.startHeld(shard);
  await close(shard);
  world.dispatcher.release();
  await expect(slice).rejects.toThrow('Another process has taken the shard over');
  expect((await world.linesOf(shard)).output).toEqual([]);
});

test('no more lines are held than the budget allows', async () => {
  world = new SliceWorld(undefined, { bytesMax: 10_000 });
  const shard = await world.aShard(requestLines(3_000));
  let heldMax = 0;
  world.store.fateOf = () => {
    heldMax = Math.max(heldMax, world.budget.bytesHeld);
    return 'works';
  };
  await close(shard);
  expect((await world.linesOf(shard)).errors).toHaveLength(3_000);
  // The lines of one chunk of the input are written before the budget is looked at.
  expect(heldMax).toBeLessThan(200_000);
});

test('heartbeats tell how many lines are written', async () => {
  const shard = await world.aShard();
  const environment = anEnvironment();
  const heartbeats: unknown[] = [];
  environment.on('heartbeat', (details) => heartbeats.push(details));
  let goOn: (() => void) | undefined;
  world.store.fateOf = async ({ name, key }): Promise<Fate> => {
    if (name === 'put' && key.includes('/segments/') && goOn === undefined) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
    return 'works';
  };
  const closed = close(shard, 'cancelled', environment);
  await eventually('a commit', () => goOn !== undefined);
  await seconds(1);
  goOn?.();
  await closed;
  expect(heartbeats).toEqual([{ shard: 0, linesWritten: lineCount }]);
});
