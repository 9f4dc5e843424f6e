import { Limiter } from '../../../src/domain/limiter';
import { settle } from '../../support/eventually';

test('as many as allowed run at a time, and the others follow in order', async () => {
  const limiter = new Limiter(2);
  const started: number[] = [];
  const releases: (() => void)[] = [];
  const start = async (index: number): Promise<void> => {
    const release = await limiter.acquire(new AbortController().signal);
    started.push(index);
    releases[index] = release;
  };
  const all = Promise.all([0, 1, 2, 3].map(start));
  await settle();
  expect(started).toEqual([0, 1]);
  releases[1]?.();
  await settle();
  expect(started).toEqual([0, 1, 2]);
  releases[0]?.();
  await all;
  expect(started).toEqual([0, 1, 2, 3]);
});

test('a turn that has ended is free for whoever comes later', async () => {
  const limiter = new Limiter(1);
  for (let round = 0; round < 3; round++) {
    const release = await limiter.acquire(new AbortController().signal);
    release();
  }
  await expect(limiter.acquire(new AbortController().signal)).resolves.toBeInstanceOf(Function);
});

test('whoever gives up waiting is let go, and takes no turn away', async () => {
  const limiter = new Limiter(1);
  const release = await limiter.acquire(new AbortController().signal);
  const impatient = new AbortController();
  const givenUp = limiter.acquire(impatient.signal);
  const patient = limiter.acquire(new AbortController().signal);
  impatient.abort();
  (await givenUp)();
  let hasTurn = false;
  void patient.then(() => {
    hasTurn = true;
  });
  await settle();
  expect(hasTurn).toBe(false);
  release();
  await expect(patient).resolves.toBeInstanceOf(Function);
});

test('whoever has given up before does not wait', async () => {
  const limiter = new Limiter(1);
  const release = await limiter.acquire(new AbortController().signal);
  (await limiter.acquire(AbortSignal.abort()))();
  release();
  await expect(limiter.acquire(new AbortController().signal)).resolves.toBeInstanceOf(Function);
});
