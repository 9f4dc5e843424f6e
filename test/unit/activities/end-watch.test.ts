import { EndWatch } from '../../../activities/end-watch';
import type { BatchEnd } from '../../../src/domain/batch';
import { BatchStore } from '../../../src/storage/batch-store';
import { aBatchId, projectId, startedAt } from '../../support/batches';
import { fakeTimers, settle } from '../../support/eventually';
import { FaultyObjectStore } from '../../support/faulty-object-store';
import { silentLogger } from '../../support/silent-logger';

const ref = { projectId, batchId: aBatchId() };
const end: BatchEnd = { reason: 'cancelled', at: startedAt };
let store: FaultyObjectStore;
let batches: BatchStore;
let endWatch: EndWatch;

beforeEach(() => {
  fakeTimers();
  store = new FaultyObjectStore();
  batches = new BatchStore(store);
  endWatch = new EndWatch(batches, silentLogger());
});

afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

async function seconds(count: number): Promise<void> {
  for (let second = 0; second < count; second++) {
    await jest.advanceTimersByTimeAsync(1_000);
    await settle(5);
  }
}

test('an end that is decided before is told at once', async () => {
  await batches.decideEnd(ref, end);
  const ends: BatchEnd[] = [];
  const unwatch = endWatch.watch(ref, (told) => ends.push(told));
  await settle();
  expect(ends).toEqual([end]);
  unwatch();
});

test('an end is told within a second, and only once', async () => {
  const ends: BatchEnd[] = [];
  const unwatch = endWatch.watch(ref, (told) => ends.push(told));
  await seconds(3);
  expect(ends).toEqual([]);
  await batches.decideEnd(ref, end);
  await seconds(1);
  expect(ends).toEqual([end]);
  await seconds(5);
  expect(ends).toEqual([end]);
  unwatch();
});

test('everybody who watches a batch is told, whoever comes late too', async () => {
  const told: string[] = [];
  const first = endWatch.watch(ref, () => told.push('first'));
  const second = endWatch.watch(ref, () => told.push('second'));
  await batches.decideEnd(ref, end);
  await seconds(1);
  const late = endWatch.watch(ref, () => told.push('late'));
  await seconds(1);
  expect(told).toEqual(['first', 'second', 'late']);
  [first, second, late].forEach((unwatch) => {
    unwatch();
  });
});

test('one look a second serves all who watch a batch', async () => {
  const unwatch = [1, 2, 3].map(() => endWatch.watch(ref, () => undefined));
  await seconds(4);
  expect(store.calls).toHaveLength(5);
  unwatch.forEach((stop) => {
    stop();
  });
});

test('nobody is told who has stopped watching, and nobody looks any more', async () => {
  const told: string[] = [];
  endWatch.watch(ref, () => told.push('told'))();
  await batches.decideEnd(ref, end);
  store.calls.length = 0;
  await seconds(3);
  expect([told, store.calls]).toEqual([[], []]);
});

test('a batch may be watched again', async () => {
  endWatch.watch(ref, () => undefined)();
  const ends: BatchEnd[] = [];
  const unwatch = endWatch.watch(ref, (told) => ends.push(told));
  await batches.decideEnd(ref, end);
  await seconds(1);
  expect(ends).toEqual([end]);
  unwatch();
});

test('looking goes on while the store fails', async () => {
  const ends: BatchEnd[] = [];
  const unwatch = endWatch.watch(ref, (told) => ends.push(told));
  await settle();
  store.fateOf = () => 'fails';
  await seconds(3);
  store.fateOf = () => 'works';
  await batches.decideEnd(ref, end);
  await seconds(1);
  expect(ends).toEqual([end]);
  unwatch();
});
