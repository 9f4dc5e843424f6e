import { ProgressReporter } from '../../../activities/progress-reporter';
import { noUsage } from '../../../src/domain/usage';
import { BatchStore, type LiveProgress } from '../../../src/storage/batch-store';
import { aBatchId, projectId } from '../../support/batches';
import { eventually, fakeTimers, settle } from '../../support/eventually';
import { FaultyObjectStore, type Fate } from '../../support/faulty-object-store';
import { silentLogger } from '../../support/silent-logger';

const ref = { projectId, batchId: aBatchId() };
let store: FaultyObjectStore;
let batches: BatchStore;

beforeEach(() => {
  fakeTimers();
  store = new FaultyObjectStore();
  batches = new BatchStore(store);
});

afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

function reporterOf(processName: string): ProgressReporter {
  return new ProgressReporter(batches, processName, silentLogger());
}

const shard = (shardIndex: number): typeof ref & { shardIndex: number } => ({ ...ref, shardIndex });
const putCount = (): number => store.calls.filter(({ name }) => name === 'put').length;

/** Without tokens. */
function done(counts: LiveProgress['counts']): LiveProgress {
  return { counts, usage: noUsage };
}

async function oneSecond(): Promise<void> {
  await jest.advanceTimersByTimeAsync(1_000);
  await settle();
}

test('counts are published within a second, and once for many updates', async () => {
  const progress = reporterOf('a').open(shard(0));
  for (let completed = 0; completed <= 20; completed++) {
    progress.update(1, done({ completed, failed: 1 }));
  }
  expect(putCount()).toBe(0);
  await oneSecond();
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 20, failed: 1 });
  expect(putCount()).toBe(1);
  await progress.close();
});

test('nothing is written while nothing changes', async () => {
  const progress = reporterOf('a').open(shard(0));
  progress.update(1, done({ completed: 1, failed: 0 }));
  await oneSecond();
  await oneSecond();
  await progress.close();
  expect(putCount()).toBe(1);
});

test('closing publishes the last update', async () => {
  const progress = reporterOf('a').open(shard(0));
  progress.update(1, done({ completed: 3, failed: 2 }));
  await progress.close();
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 3, failed: 2 });
});

test('shards of one process share an object, which keeps those that have finished', async () => {
  const reporter = reporterOf('a');
  const first = reporter.open(shard(0));
  first.update(1, done({ completed: 5, failed: 0 }));
  await first.close();
  const other = reporter.open(shard(1));
  other.update(1, done({ completed: 7, failed: 1 }));
  await other.close();
  expect(await batches.getProgress(ref, 'a')).toEqual({
    0: [1, 5, 0, noUsage],
    1: [1, 7, 1, noUsage],
  });
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 12, failed: 1 });
});

test('of a shard that has moved on, the newest epoch counts', async () => {
  const former = reporterOf('a').open(shard(0));
  former.update(1, done({ completed: 9, failed: 0 }));
  const owner = reporterOf('b').open(shard(0));
  owner.update(2, done({ completed: 4, failed: 0 }));
  await owner.close();
  await former.close();
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 4, failed: 0 });
});

test('a store that fails delays the counts and disturbs nobody', async () => {
  const progress = reporterOf('a').open(shard(0));
  store.fateOf = () => 'fails';
  progress.update(1, done({ completed: 1, failed: 0 }));
  await oneSecond();
  store.fateOf = () => 'works';
  progress.update(1, done({ completed: 2, failed: 0 }));
  await oneSecond();
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 2, failed: 0 });
  await progress.close();
});

test('a store that fails to the end does not fail the slice', async () => {
  const progress = reporterOf('a').open(shard(0));
  progress.update(1, done({ completed: 1, failed: 0 }));
  store.fateOf = () => 'fails';
  await expect(progress.close()).resolves.toBeUndefined();
});

test('slices that come and go at once do not overwrite what the others report', async () => {
  const reporter = reporterOf('a');
  const gate = holdPuts();
  const first = reporter.open(shard(0));
  first.update(1, done({ completed: 1, failed: 0 }));
  const firstClosed = first.close();
  await gate.isHolding();
  const second = reporter.open(shard(1));
  second.update(1, done({ completed: 2, failed: 0 }));
  const secondClosed = second.close();
  gate.letOneThrough();
  await firstClosed;
  const third = reporter.open(shard(2));
  third.update(1, done({ completed: 4, failed: 0 }));
  await oneSecond();
  await gate.isHolding();
  gate.open();
  await secondClosed;
  const fourth = reporter.open(shard(3));
  fourth.update(1, done({ completed: 8, failed: 0 }));
  await fourth.close();
  third.update(1, done({ completed: 16, failed: 0 }));
  await third.close();
  expect((await batches.liveProgress(ref)).counts).toEqual({ completed: 27, failed: 0 });
});

/** Lets writes through one by one. */
function holdPuts(): {
  isHolding(): Promise<void>;
  letOneThrough(): void;
  open(): void;
} {
  const waiting: (() => void)[] = [];
  store.fateOf = async ({ name }): Promise<Fate> => {
    if (name === 'put') {
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    return 'works';
  };
  return {
    isHolding: async () => {
      await eventually('a write', () => waiting.length > 0);
    },
    letOneThrough: () => {
      waiting.shift()?.();
    },
    open: () => {
      store.fateOf = () => 'works';
      waiting.splice(0).forEach((resolve) => {
        resolve();
      });
    },
  };
}
