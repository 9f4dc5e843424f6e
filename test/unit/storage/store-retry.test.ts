import { StoreFault, StoreFull } from '../../../src/storage/object-store';
import { StoreRefusal, withRetry } from '../../../src/storage/store-retry';

const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

describe('withRetry', () => {
  it('calls again until the call succeeds, and says which attempt it is', async () => {
    const attempts: number[] = [];
    const result = await withRetry('get [key=a]', { retryMs: 10_000 }, async (attemptNumber) => {
      attempts.push(attemptNumber);
      return attemptNumber < 3 ? await Promise.reject(reset) : 'done';
    });

    expect(result).toBe('done');
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('gives up when its time is over, with the last cause', async () => {
    const started = performance.now();
    const fault = await withRetry(
      'get [key=a]',
      { retryMs: 300 },
      async () => await Promise.reject(reset),
    ).catch((error: unknown) => error);

    expect(fault).toEqual(new StoreFault('The object store failed to get [key=a]'));
    expect((fault as StoreFault).cause).toBe(reset);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  it.each([
    ['a refusal', new StoreRefusal('AccessDenied', 'no')],
    ['a fault that was retried already', new StoreFault('inner')],
  ])('does not call again after %s', async (_, error) => {
    const call = jest.fn(async () => await Promise.reject(error));

    await expect(withRetry('get [key=a]', { retryMs: 10_000 }, call)).rejects.toThrow(StoreFault);
    expect(call).toHaveBeenCalledTimes(1);
  });

  describe('on a store that is full', () => {
    const full = new StoreRefusal('XMinioStorageFull', 'no room');

    it('says so at once', async () => {
      const call = jest.fn(async () => await Promise.reject(full));

      await expect(withRetry('put [key=a]', { retryMs: 10_000 }, call)).rejects.toThrow(StoreFull);
      expect(call).toHaveBeenCalledTimes(1);
    });

    it('waits for room where that is asked for', async () => {
      const put = withRetry(
        'put [key=a]',
        { retryMs: 10_000, waitsForRoom: true },
        async (attemptNumber) => (attemptNumber < 3 ? await Promise.reject(full) : 'done'),
      );

      expect(await put).toBe('done');
    });
  });
});
