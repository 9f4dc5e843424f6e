import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { Context } from '@temporalio/activity';
import type { ActivityExecuteInput, ActivityInterceptorsFactory } from '@temporalio/worker';
import { ContextStorages } from '../../../src/worker/context-storages';

const storage = new AsyncLocalStorage<string>();
let storages: ContextStorages;

beforeEach(() => {
  storages = new ContextStorages([storage]);
});

/** As the SDK runs an activity: within its context, through the interceptor. */
async function run<T>(
  factory: ActivityInterceptorsFactory,
  context: string,
  activity: () => Promise<T>,
): Promise<T> {
  const { inbound } = factory({} as Context);
  const input: ActivityExecuteInput = { args: [], headers: {} };
  return await storage.run(context, async () => {
    return (await inbound?.execute?.(input, activity)) as T;
  });
}

async function contextsOverTurns(): Promise<(string | undefined)[]> {
  const atStart = storage.getStore();
  await turn();
  return [atStart, storage.getStore()];
}

test('a slice has its context until it first waits', async () => {
  expect(await run(storages.ofSlices, 'slice', contextsOverTurns)).toEqual(['slice', undefined]);
});

test('another activity keeps its context, whatever slices begin and end meanwhile', async () => {
  const other = run(storages.ofOthers, 'other', async () => {
    const before = await contextsOverTurns();
    await run(storages.ofSlices, 'slice', contextsOverTurns);
    return [...before, ...(await contextsOverTurns())];
  });
  expect(await other).toEqual(['other', 'other', 'other', 'other']);
});

test('when the last of the others has ended, slices run without again', async () => {
  const slice = run(storages.ofSlices, 'slice', async () => {
    await Promise.all([
      run(storages.ofOthers, 'one', contextsOverTurns),
      run(storages.ofOthers, 'two', async () => {
        await turn();
        return await contextsOverTurns();
      }),
    ]);
    return storage.getStore();
  });
  expect(await slice).toBeUndefined();
});

test('a failure passes through, and leaves the storages off', async () => {
  const failing = run(storages.ofOthers, 'other', async () => {
    await turn();
    throw new Error('no luck');
  });
  await expect(failing).rejects.toThrow('no luck');
  expect(await run(storages.ofSlices, 'slice', contextsOverTurns)).toEqual(['slice', undefined]);
});
