import {
  deliveryAttemptsMax,
  retryDelayMs,
  stateAfterFailure,
  withAttempt,
  type DeliveryLog,
} from '../../../src/domain/delivery';

const attemptNumbers = Array.from({ length: deliveryAttemptsMax - 1 }, (_, index) => index + 1);

it('follows the schedule of the Standard Webhooks specification', () => {
  const minutes = attemptNumbers.map((number) => retryDelayMs(number, { random: 0 }) / 60_000);
  const hours = [2, 5, 10, 14, 20, 24].map((hour) => hour * 60);
  expect(minutes).toEqual([5 / 60, 5, 30, ...hours]);
});

it('is late by at most a tenth, and never early', () => {
  for (const number of attemptNumbers) {
    const earliest = retryDelayMs(number, { random: 0 });
    expect(retryDelayMs(number, { random: 0.999 })).toBeGreaterThan(earliest * 1.09);
    expect(retryDelayMs(number, { random: 0.999 })).toBeLessThanOrEqual(earliest * 1.1);
  }
});

it('waits for as long as the receiver asks, when that is longer', () => {
  expect(retryDelayMs(1, { random: 0, retryAfterSeconds: 60 })).toBe(60_000);
  expect(retryDelayMs(2, { random: 0, retryAfterSeconds: 60 })).toBe(300_000);
});

it('fails for good with the last attempt', () => {
  expect(attemptNumbers.map(stateAfterFailure)).toEqual(attemptNumbers.map(() => 'pending'));
  expect(stateAfterFailure(deliveryAttemptsMax)).toBe('failed');
});

it('keeps the newest attempts of many', () => {
  let log: DeliveryLog = { target: 'own', state: 'pending', attempts: [] };
  for (let at = 0; at < 60; at++) {
    log = withAttempt(log, { at, durationMs: 1, status: 500, error: null });
  }
  expect(log.attempts.map(({ at }) => at)).toEqual(Array.from({ length: 50 }, (_, i) => i + 10));
});
