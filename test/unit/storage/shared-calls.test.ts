import { SharedCalls } from '../../../src/storage/shared-calls';

/** Calls that end when they are told to; each returns its number. */
class Calls {
  readonly ends: (() => void)[] = [];

  readonly call = async (): Promise<number> => {
    const number = this.ends.length + 1;
    await new Promise<void>((resolve) => this.ends.push(resolve));
    return number;
  };
}

const turns = async (): Promise<void> => {
  await new Promise((resolve) => setImmediate(resolve));
};

test('callers that come while a call is under way share the next one', async () => {
  const shared = new SharedCalls<string, number>();
  const calls = new Calls();
  const first = shared.next('a', calls.call);
  await turns();
  const later = [shared.next('a', calls.call), shared.next('a', calls.call)];
  await turns();
  expect(calls.ends).toHaveLength(1);
  calls.ends[0]?.();
  expect(await first).toBe(1);
  await turns();
  calls.ends[1]?.();
  expect(await Promise.all(later)).toEqual([2, 2]);
  expect(calls.ends).toHaveLength(2);
});

test('calls of different keys know nothing of each other', async () => {
  const shared = new SharedCalls<string, number>();
  const calls = new Calls();
  const both = [shared.next('a', calls.call), shared.next('b', calls.call)];
  await turns();
  calls.ends.forEach((end) => {
    end();
  });
  expect(await Promise.all(both)).toEqual([1, 2]);
});

test('a call that fails fails those who share it, and not the next one', async () => {
  const shared = new SharedCalls<string, number>();
  const failing = shared.next('a', async () => await Promise.reject(new Error('down')));
  await expect(failing).rejects.toThrow('down');
  expect(await shared.next('a', async () => await Promise.resolve(2))).toBe(2);
});

test('those who wait for a call that fails do not make one of their own', async () => {
  const shared = new SharedCalls<string, number>();
  let fail: (error: Error) => void = () => undefined;
  const failing = shared.next(
    'a',
    async () =>
      await new Promise((_, reject) => {
        fail = reject;
      }),
  );
  await turns();
  const calls = new Calls();
  const waiting = shared.next('a', calls.call);
  fail(new Error('down'));
  await expect(failing).rejects.toThrow('down');
  await expect(waiting).rejects.toThrow('down');
  expect(calls.ends).toEqual([]);
  expect(await shared.next('a', async () => await Promise.resolve(2))).toBe(2);
});
