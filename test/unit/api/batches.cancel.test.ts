import type { BatchEvent, BatchStatus } from '../../../src/domain/batch';
import { errorOf, send, startApi, type ApiUnderTest } from './api-under-test';
import { aBatch, createdAt, ends, finalized, invalid, passed } from './batch-events';

let api: ApiUnderTest;
beforeEach(async () => {
  api = await startApi();
});
afterEach(async () => {
  await api.close();
});

describe('cancel', () => {
  const cases: readonly [string, readonly BatchEvent[], BatchStatus | 409][] = [
    ['validating', [], 'cancelling'],
    ['in_progress', [passed], 'cancelling'],
    ['cancelling', [passed, ends('cancelled')], 'cancelling'],
    ['cancelled', [passed, ends('cancelled'), finalized('cancelled')], 'cancelled'],
    ['finalizing', [passed, ends('completed')], 409],
    ['completed', [passed, ends('completed'), finalized('completed')], 409],
    ['expired', [passed, ends('expired'), finalized('expired')], 409],
    ['failed', [invalid], 409],
  ];

  test.each(cases)('of a batch that is %s', async (status, events, expected) => {
    const ref = await aBatch(api);
    for (const event of events) {
      if (event.type === 'end_decided') {
        await api.batches.decideEnd(ref, event.end);
      }
      await api.batches.apply(ref, event);
    }
    const answer = await send(api.url, {
      method: 'POST',
      path: `/v1/batches/${ref.batchId}/cancel`,
      // As the Python client does it.
      headers: { 'content-type': 'application/json', 'content-length': '0' },
    });
    const seen =
      answer.status === 409
        ? [409, answer.headers['x-should-retry'], errorOf(answer).message]
        : [answer.status, (answer.json() as { status: string }).status];
    expect(seen).toEqual(
      expected === 409
        ? [409, 'false', `Cannot cancel a batch with status '${status}'.`]
        : [200, expected],
    );
    expect(api.runner.cancelled).toEqual(expected === 'cancelling' ? [ref.batchId] : []);
  });

  test.each([
    ['completed', 'finalizing'],
    ['failed', 'finalizing'],
  ] as const)('loses against an end that is decided: %s', async (reason, status) => {
    const ref = await aBatch(api);
    await api.batches.apply(ref, passed);
    await api.batches.decideEnd(ref, { reason, at: createdAt });
    await expect(api.client.batches.cancel(ref.batchId)).rejects.toMatchObject({
      status: 409,
      message: `409 Cannot cancel a batch with status '${status}'.`,
    });
    expect(api.runner.cancelled).toEqual([]);
  });

  test('is decided even while the engine is down, and may be repeated', async () => {
    const ref = await aBatch(api);
    api.runner.down = true;
    const first = await api.client.batches.cancel(ref.batchId);
    expect(first).toMatchObject({ status: 'cancelling', output_file_id: null });
    expect(await api.batches.getEnd(ref)).toEqual({
      reason: 'cancelled',
      at: first.cancelling_at,
    });
    api.runner.down = false;
    api.clock.nowMs += 60_000;
    expect(await api.client.batches.cancel(ref.batchId)).toEqual(first);
    expect(api.runner.cancelled).toEqual([ref.batchId]);
  });
});
