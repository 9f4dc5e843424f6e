import { Readable } from 'node:stream';
import { ActivityCancellationDetails } from '@temporalio/common';
import type { FileId } from '../../../src/domain/ids';
import { batchKeys, fileKeys } from '../../../src/domain/object-keys';
import { StoreFault } from '../../../src/storage/object-store';
import { anEnvironment, endBatch, recordOf } from '../../support/activity-world';
import { requestLines } from '../../support/batches';
import { eventually, settle } from '../../support/eventually';
import { answered } from '../../support/fake-dispatcher';
import { keysBelow, type Fate } from '../../support/faulty-object-store';
import {
  inFlightMax,
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

describe('a slice whose time is up', () => {
  it('lets what is in flight finish, and the next one asks the rest', async () => {
    const shard = await world.aShard();
    const [slice] = await world.startHeld(shard);
    await jest.advanceTimersByTimeAsync(world.deps.settings.sliceDurationMs);
    await seconds(120);
    world.dispatcher.release();
    expect(await slice).toEqual({
      sealed: false,
      ended: false,
      counts: { completed: inFlightMax, failed: 0 },
    });
    expect(await world.finish(shard)).toEqual(ordinals(inFlightMax, lineCount));
  });

  it('hands on few objects where it has written many', async () => {
    const shard = await world.aShard(requestLines(60));
    const [slice] = await world.startHeld(shard);
    for (let round = 0; round < 10; round++) {
      world.dispatcher.release(1);
      await seconds(1);
    }
    const segments = async (): Promise<number> =>
      (await keysBelow(world.store, keysOf(shard).segmentsOf(1))).length;
    expect(await segments()).toBeGreaterThanOrEqual(8);
    await jest.advanceTimersByTimeAsync(world.deps.settings.sliceDurationMs);
    world.dispatcher.release();
    expect(await slice).toMatchObject({ sealed: false });
    expect(await segments()).toBe(0);
    const asked = new Set(world.dispatcher.askedOrdinals);
    expect(await world.finish(shard)).toEqual(
      ordinals(0, 60).filter((ordinal) => !asked.has(ordinal)),
    );
  });
});

describe('a slice of a batch that has ended', () => {
  it('stops within a second and keeps what finishes during the grace', async () => {
    const shard = await world.aShard();
    const [slice] = await world.startHeld(shard);
    await endBatch(world, shard, 'cancelled');
    await seconds(1);
    expect(world.dispatcher.sessions.map(({ isDrained }) => isDrained)).toEqual([true]);
    await seconds(20);
    world.dispatcher.release();
    expect(await slice).toEqual({
      sealed: false,
      ended: true,
      counts: { completed: inFlightMax, failed: 0 },
    });
  });

  it('gives up what is in flight when the grace is over', async () => {
    const shard = await world.aShard();
    const [slice] = await world.startHeld(shard, { answeredCount: 4 });
    await endBatch(world, shard, 'expired');
    await seconds(31);
    expect(await slice).toEqual({
      sealed: false,
      ended: true,
      counts: { completed: 4, failed: 0 },
    });
  });

  it('asks nothing when it starts too late', async () => {
    const shard = await world.aShard();
    await endBatch(world, shard, 'cancelled');
    world.dispatcher.respond = () => undefined;
    const slice = world.runSlice(shard);
    await seconds(31);
    expect(await slice).toMatchObject({ sealed: false, ended: true });
  });
});

describe('a slice that is cancelled', () => {
  it('returns with what finished during the grace', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    const [slice] = await world.startHeld(shard, { environment, answeredCount: 4 });
    environment.cancel();
    await seconds(29);
    expect(world.dispatcher.sessions[0]?.isAborted).toBe(false);
    await seconds(2);
    expect(await slice).toEqual({
      sealed: false,
      ended: false,
      counts: { completed: 4, failed: 0 },
    });
  });

  it('seals the shard when the last lines finish during the grace', async () => {
    const shard = await world.aShard(requestLines(3));
    const environment = anEnvironment();
    const [slice] = await world.startHeld(shard, { environment });
    environment.cancel();
    await settle();
    world.dispatcher.release();
    expect(await slice).toMatchObject({ sealed: true });
  });

  it('before it has opened its shard does not go on as if nothing had happened', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    world.dispatcher.respond = () => undefined;
    environment.cancel();
    const slice = world.runSlice(shard, environment);
    await seconds(31);
    expect(await slice).toMatchObject({ sealed: false });
    expect(world.dispatcher.asked).toEqual([]);
  });
});

describe('a slice whose worker stops', () => {
  const shutdown = new ActivityCancellationDetails({ workerShutdown: true });

  it('returns after the shorter grace, and another one goes on', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    const [slice] = await world.startHeld(shard, { environment, answeredCount: 4 });
    environment.cancel('WORKER_SHUTDOWN', shutdown);
    await seconds(11);
    expect(await slice).toEqual({
      sealed: false,
      ended: false,
      counts: { completed: 4, failed: 0 },
    });
    expect(await world.finish(shard)).toEqual(ordinals(4, lineCount));
  });

  it('while it opens its shard returns as soon', async () => {
    const shard = await world.aShard();
    const environment = anEnvironment();
    world.dispatcher.respond = () => undefined;
    environment.cancel('WORKER_SHUTDOWN', shutdown);
    const slice = world.runSlice(shard, environment);
    await seconds(11);
    expect(await slice).toMatchObject({ sealed: false, ended: false });
  });
});

test('a slice that the engine interrupts commits what has finished, and fails', async () => {
  const shard = await world.aShard();
  const environment = anEnvironment();
  const [slice] = await world.startHeld(shard, { environment, answeredCount: 4 });
  environment.cancel('PAUSED', new ActivityCancellationDetails({ paused: true }));
  await seconds(11);
  await expect(slice).rejects.toThrow('PAUSED');
  expect(await world.finish(shard)).toEqual(ordinals(4, lineCount));
});

describe('a slice whose store fails', () => {
  it('in a commit ends with that error, and its lines are asked again', async () => {
    const shard = await world.aShard();
    const { fateOf } = world.store;
    world.store.fateOf = ({ name, key }) =>
      name === 'put' && key.includes('/segments/') ? 'fails' : 'works';
    const [slice] = await world.startHeld(shard, { answeredCount: 4 });
    await seconds(2);
    await expect(slice).rejects.toThrow(StoreFault);
    world.store.fateOf = fateOf;
    expect(await world.finish(shard)).toEqual(ordinals(0, lineCount));
  });

  it('after a commit was stored does not ask its lines again', async () => {
    const shard = await world.aShard();
    world.store.fateOf = ({ name, key }) =>
      name === 'put' && key.includes('/segments/') ? 'answer_lost' : 'works';
    const [slice] = await world.startHeld(shard, { answeredCount: 4 });
    await seconds(2);
    await expect(slice).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    expect(await world.finish(shard)).toEqual(ordinals(4, lineCount));
  });

  it.each(['openRead', 'list', 'get'] as const)(
    'in %s at its start ends with that error',
    async (failing) => {
      const shard = await world.aShard();
      world.store.fateOf = ({ name }) => (name === failing ? 'fails' : 'works');
      await expect(world.runSlice(shard)).rejects.toThrow(StoreFault);
      world.store.fateOf = () => 'works';
      expect(await world.finish(shard)).toEqual(ordinals(0, lineCount));
    },
  );

  it('while it reads its lines keeps the answers to those that it has asked', async () => {
    const shard = await world.aShard();
    const openRead = jest.spyOn(world.store, 'openRead').mockImplementationOnce(async () => {
      await Promise.resolve();
      return Readable.from(breakingOff(requestLines(10)), { objectMode: false });
    });
    const [slice] = await world.startHeld(shard);
    await eventually('the slice to stop', () => world.dispatcher.sessions[0]?.isDrained === true);
    world.dispatcher.release();
    await expect(slice).rejects.toThrow('broke off');
    expect(openRead).toHaveBeenCalledTimes(1);
    expect(await world.finish(shard)).toEqual(ordinals(10, lineCount));
  });

  it('asks nothing new while a commit takes long, and nothing again', async () => {
    const shard = await world.aShard(requestLines(200));
    let finishCommit: (() => void) | undefined;
    world.store.fateOf = async ({ name, key }): Promise<Fate> => {
      if (name === 'put' && key.includes('/segments/')) {
        await new Promise<void>((resolve) => {
          finishCommit = resolve;
        });
      }
      return 'works';
    };
    const [slice] = await world.startHeld(shard, { answeredCount: 1 });
    await seconds(5);
    world.dispatcher.release();
    await seconds(60);
    const askedCount = world.dispatcher.asked.length;
    expect(askedCount).toBeLessThanOrEqual(2 * inFlightMax);
    world.store.fateOf = () => 'works';
    world.dispatcher.respond = () => answered('1');
    finishCommit?.();
    expect(await slice).toMatchObject({ sealed: true });
    expect(world.dispatcher.askedOrdinals).toEqual(ordinals(0, 200));
  });

  it('while sealing ends with that error, and nothing is asked again', async () => {
    const shard = await world.aShard();
    world.store.fateOf = ({ name }) => (name === 'putStream' ? 'fails' : 'works');
    await expect(world.runSlice(shard)).rejects.toThrow(StoreFault);
    world.store.fateOf = () => 'works';
    expect(await world.finish(shard)).toEqual([]);
  });
});

test('a slice that was taken over fails, and what it wrote does not count', async () => {
  const shard = await world.aShard(requestLines(3));
  const [slice] = await world.startHeld(shard);
  const other = new SliceWorld(world.store, { processName: 'process-2' });
  other.dispatcher.respond = () => answered('"of the new owner"');
  expect(await other.runSlice(shard)).toMatchObject({ sealed: true });
  world.dispatcher.release();
  await expect(slice).rejects.toThrow('Another process has taken the shard over');
  const { output } = await world.linesOf(shard);
  expect(output.map(({ response }) => response?.body)).toEqual(
    new Array(3).fill('of the new owner'),
  );
});

test('lines of a corrupt segment are asked again', async () => {
  const shard = await world.aShard();
  const [slice] = await world.startHeld(shard, { answeredCount: 4 });
  await endBatch(world, shard, 'cancelled');
  await seconds(32);
  await slice;
  const key = keysOf(shard).segment(1, 0);
  const bytes = (await world.store.get(key))?.bytes ?? Buffer.alloc(0);
  bytes[20] = 0x21;
  await world.store.put(key, bytes);
  // As in another process.
  world.recentSegments.clear();
  await world.store.delete([batchKeys(shard.projectId, shard.batchId).end]);
  world.dispatcher.respond = () => answered('1');
  expect(await world.runSlice(shard)).toMatchObject({ sealed: false });
  expect(await world.finish(shard)).toEqual([0, 1, 2, 3]);
});

test('a slice of an input file that has fewer lines than were planned fails, to be tried later', async () => {
  const shard = await world.aShard();
  const { inputFileId } = await recordOf(world, shard);
  const { content } = fileKeys(shard.projectId, inputFileId as FileId);
  const bytes = (await world.store.get(content))?.bytes ?? Buffer.alloc(0);
  bytes.fill(' ', 0, bytes.indexOf('\n'));
  await world.store.put(content, bytes);
  world.dispatcher.respond = () => answered('1');
  await expect(world.runSlice(shard)).rejects.toThrow('other lines than were planned');
});

async function* breakingOff(text: string): AsyncGenerator<string> {
  yield text;
  await Promise.reject(new StoreFault('The read broke off'));
}
