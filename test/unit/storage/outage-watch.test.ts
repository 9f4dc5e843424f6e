import { OutageWatch } from '../../../src/storage/outage-watch';

let told: string[];
let watch: OutageWatch;

beforeEach(() => {
  jest.useFakeTimers();
  told = [];
  watch = new OutageWatch({
    onOutage: (cause) => told.push(`outage: ${(cause as Error).message}`),
    onRecovery: (outageMs) => told.push(`recovery after ${outageMs} ms`),
  });
});

afterEach(() => {
  jest.useRealTimers();
});

/** Fails once a second, and ends after so many seconds. */
async function call(seconds: number, end: 'succeeds' | 'fails' = 'succeeds'): Promise<void> {
  await watch.during(async (onFailure) => {
    for (let second = 0; second < seconds; second += 1) {
      onFailure(new Error(`attempt ${second}`));
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
    if (end === 'fails') {
      throw new Error('given up');
    }
  });
}

test('calls that fail for a moment are not told of', async () => {
  const calls = Promise.all([call(0), call(1), call(3)]);
  await jest.advanceTimersByTimeAsync(10_000);
  await calls;
  expect(told).toEqual([]);
});

test('an outage is told of once, and that it is over when nobody waits any more', async () => {
  const calls = Promise.all([call(4), call(8), call(0)]);
  await jest.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual(['outage: attempt 3']);
  await jest.advanceTimersByTimeAsync(5_000);
  await calls;
  expect(told).toEqual(['outage: attempt 3', 'recovery after 8000 ms']);
});

test('a call that was given up is no recovery, and the next one is told of again', async () => {
  const failed = call(5, 'fails').catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(5_000);
  expect(await failed).toEqual(new Error('given up'));
  const next = call(5);
  await jest.advanceTimersByTimeAsync(5_000);
  await next;
  expect(told).toEqual(['outage: attempt 3', 'outage: attempt 3', 'recovery after 5000 ms']);
});
