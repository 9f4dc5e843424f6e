import type { Attempt } from '../../../src/upstream/attempt';
import { Pacing } from '../../../src/upstream/pacing';
import { ManualClock } from './manual-clock';

function aPacing(): { pacing: Pacing; clock: ManualClock; resumedAt: number[] } {
  const clock = new ManualClock();
  const resumedAt: number[] = [];
  const onResume = (): void => {
    resumedAt.push(clock.now());
  };
  const pacing = new Pacing({ clock, random: () => 0, maxInFlight: 8, onResume });
  return { pacing, clock, resumedAt };
}

function aRefusal(overrides: Partial<Attempt> = {}): Attempt {
  return {
    kind: 'rate_limited',
    cause: 429,
    retryAfterMs: undefined,
    congested: true,
    timedOut: false,
    outcome: { failure: { code: 'x', message: 'x' } },
    ...overrides,
  };
}

describe('the pacing of an upstream', () => {
  it('stops everybody for as long as the upstream asks', () => {
    const { pacing, clock, resumedAt } = aPacing();
    pacing.onCongestion(aRefusal({ retryAfterMs: 5_000 }), 1, { sent: 1, inFlight: 7 });
    expect(pacing.maySend(0)).toBe(false);
    clock.advance(5_000);
    expect(pacing.maySend(0)).toBe(true);
    expect(resumedAt).toEqual([5_000]);
  });

  it('fills up little by little after a pause, from what is still in flight', () => {
    const { pacing, clock } = aPacing();
    const traffic = { sent: 8, inFlight: 7 };
    pacing.onSuccess({ number: 1, startedAt: -400 }, 1, traffic);
    pacing.onCongestion(aRefusal({ retryAfterMs: 1_000 }), 8, traffic);
    traffic.inFlight = 3;
    clock.advance(1_000);
    expect([pacing.limit, pacing.maySend(2), pacing.maySend(3)]).toEqual([3, true, false]);
    clock.advance(120);
    expect(pacing.limit).toBe(5);
    clock.advance(1_000);
    expect(pacing.limit).toBe(7);
  });

  it('is not held up any longer by the other refusals of the same overload', () => {
    const clock = new ManualClock();
    const pacing = new Pacing({ clock, random: () => 0.5, maxInFlight: 8, onResume: jest.fn() });
    for (const number of [1, 2, 3]) {
      pacing.onCongestion(aRefusal({ retryAfterMs: 1_000 }), number, { sent: 8, inFlight: 7 });
      clock.advance(20);
    }
    clock.advance(985);
    expect(pacing.isPaused).toBe(true);
    clock.advance(10);
    expect(pacing.isPaused).toBe(false);
  });

  it('keeps to the longest pause that was asked for', () => {
    const { pacing, clock, resumedAt } = aPacing();
    for (const retryAfterMs of [2_000, 5_000, 1_000]) {
      pacing.onCongestion(aRefusal({ retryAfterMs }), 1, { sent: 3, inFlight: 7 });
    }
    clock.advance(60_000);
    expect(resumedAt).toEqual([5_000]);
  });

  it('backs off by itself from a rate limit that names no time, once for each round', () => {
    const { pacing, clock, resumedAt } = aPacing();
    for (const number of [1, 2, 3]) {
      pacing.onCongestion(aRefusal(), number, { sent: 3, inFlight: 7 });
    }
    clock.advance(1_000);
    pacing.onCongestion(aRefusal(), 4, { sent: 4, inFlight: 7 });
    clock.advance(1_000);
    expect(resumedAt).toEqual([250, 1_500]);
  });

  it('forgets earlier rounds at the first success', () => {
    const { pacing, clock, resumedAt } = aPacing();
    for (const number of [1, 2, 3]) {
      pacing.onCongestion(aRefusal(), number, { sent: number, inFlight: 7 });
      clock.advance(10_000);
    }
    pacing.onSuccess({ number: 1, startedAt: 0 }, 1, { sent: 8, inFlight: 7 });
    pacing.onCongestion(aRefusal(), 4, { sent: 4, inFlight: 7 });
    clock.advance(10_000);
    expect(resumedAt).toEqual([250, 10_500, 21_000, 30_250]);
  });

  it('sends fewer at a time to an upstream that is overloaded, without a pause', () => {
    const { pacing } = aPacing();
    expect(pacing.maySend(7)).toBe(true);
    pacing.onCongestion(aRefusal({ kind: 'unavailable', cause: 503 }), 1, { sent: 1, inFlight: 7 });
    expect(pacing.maySend(5)).toBe(false);
    expect(pacing.maySend(4)).toBe(true);
  });

  it('tells requests that are too many from requests that never end', () => {
    const { pacing } = aPacing();
    const timeout = aRefusal({ kind: 'unavailable', cause: 'REQUEST_TIMEOUT', timedOut: true });
    for (const number of [1, 2, 3]) {
      pacing.onCongestion(timeout, number, { sent: number, inFlight: 7 });
    }
    expect(pacing.maySend(7)).toBe(true);
    pacing.onSuccess({ number: 1, startedAt: 0 }, 1, { sent: 8, inFlight: 7 });
    pacing.onCongestion(timeout, 4, { sent: 4, inFlight: 7 });
    expect(pacing.maySend(5)).toBe(false);
  });

  it('leaves no timer behind', () => {
    const { pacing, clock } = aPacing();
    pacing.onCongestion(aRefusal(), 1, { sent: 1, inFlight: 7 });
    pacing.close();
    expect(clock.timerCount).toBe(0);
  });
});
