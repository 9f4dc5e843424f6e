import { InFlightLimit } from '../../../src/upstream/in-flight-limit';
import { ManualClock } from './manual-clock';

function aLimit(max: number): { limit: InFlightLimit; clock: ManualClock; raises: number[] } {
  const clock = new ManualClock();
  const raises: number[] = [];
  const onRaise = (): void => {
    raises.push(limit.current);
  };
  const limit = new InFlightLimit({ clock, max, onRaise });
  return { limit, clock, raises };
}

function answer(
  limit: InFlightLimit,
  count: number,
  { startedAt, inFlight } = { startedAt: 0, inFlight: 0 },
): void {
  for (let number = 1; number <= count; number++) {
    limit.onSuccess({ number, startedAt }, 1, { sent: 0, inFlight });
  }
}

describe('the limit of requests in flight', () => {
  it('begins with 128, little by little, or with the maximum', () => {
    const { limit, clock, raises } = aLimit(1_024);
    expect(limit.current).toBe(16);
    clock.advance(1_000);
    expect(limit.current).toBe(128);
    expect(new Set(raises).size).toBeGreaterThan(60);
    expect(aLimit(8).limit.current).toBe(8);
  });

  it('comes down to 64 where answers wait for the process itself, and looks for no more', () => {
    const { limit, clock } = aLimit(1_024);
    clock.advance(1_000);
    const perMs = 8;
    const answerMany = (count: number): void => {
      for (let number = 1; number <= count; number++) {
        clock.advance(1 / perMs);
        const inFlight = limit.current;
        const startedAt = clock.now() - (inFlight / perMs) * (number % 2 === 0 ? 1.5 : 0.5);
        limit.onSuccess({ number: 2_000 + number, startedAt }, 1, { sent: number, inFlight });
      }
    };
    answerMany(2_000);
    expect(limit.current).toBe(64);
    answerMany(20_000);
    expect(limit.current).toBe(64);
  });

  it('grows with each answer until answers take longer', () => {
    const { limit, clock } = aLimit(1_024);
    clock.advance(1_000);
    answer(limit, 20, { startedAt: 900, inFlight: 400 });
    expect(limit.current).toBe(128 + 3 * 15 + 7 * 5);
    answer(limit, 12, { startedAt: 0, inFlight: 400 });
    answer(limit, 16, { startedAt: 0, inFlight: 400 });
    expect(limit.current).toBeLessThan(128);
  });

  it('does not grow for want of lines', () => {
    const { limit, clock } = aLimit(1_024);
    clock.advance(1_000);
    answer(limit, 100, { startedAt: 900, inFlight: 100 });
    expect(limit.current).toBe(128);
  });

  it('is cut by 30 % for a round of refusals', () => {
    const { limit, clock } = aLimit(64);
    clock.advance(1_000);
    expect(limit.onRefusal(1, { sent: 64, inFlight: 63 })).toBe(true);
    expect(limit.onRefusal(2, { sent: 64, inFlight: 62 })).toBe(false);
    expect(limit.onRefusal(64, { sent: 64, inFlight: 0 })).toBe(false);
    expect(limit.current).toBe(44);
    expect(limit.onRefusal(65, { sent: 96, inFlight: 43 })).toBe(true);
    expect(limit.current).toBe(31);
  });

  it('comes down to what the upstream has accepted when a calm time ends', () => {
    const { limit, clock } = aLimit(64);
    clock.advance(1_000);
    answer(limit, 64);
    expect(limit.onRefusal(65, { sent: 66, inFlight: 62 })).toBe(false);
    expect(limit.onRefusal(66, { sent: 66, inFlight: 61 })).toBe(false);
    expect(limit.current).toBe(61);
  });

  it('never falls below one', () => {
    const { limit } = aLimit(3);
    for (let number = 1; number < 10; number++) {
      limit.onRefusal(number, { sent: number, inFlight: 0 });
    }
    expect(limit.current).toBe(1);
  });

  it('does not fall below 16 for requests without an answer in time when none has one', () => {
    const { limit, clock } = aLimit(64);
    clock.advance(1_000);
    const timeOut = (number: number): number => {
      limit.onTimeout(number, { sent: number, inFlight: limit.current - 1 });
      return limit.current;
    };
    expect([1, 2, 3, 4, 5, 6].map(timeOut)).toEqual([44, 31, 21, 16, 16, 16]);
    answer(limit, 1);
    expect(timeOut(7)).toBe(11);
  });

  it('takes no notice of one request without an answer in time among many that have one', () => {
    const { limit, clock } = aLimit(64);
    clock.advance(1_000);
    answer(limit, 64);
    limit.onTimeout(65, { sent: 65, inFlight: 63 });
    expect(limit.current).toBe(64);
  });

  it('takes no notice of a load that was told between two bursts of answers', () => {
    const { limit, clock } = aLimit(1_024);
    clock.advance(1_000);
    answer(limit, 16, { startedAt: 900, inFlight: 200 });
    answer(limit, 16, { startedAt: 0, inFlight: 200 });
    const [traffic, before] = [{ sent: 320, inFlight: 200 }, limit.current];
    expect(limit.onLoad({ running: 99, waiting: 0 }, traffic)).toBe(false);
    expect(limit.onLoad({ running: 200, waiting: 0 }, traffic)).toBe(true);
    clock.advance(1_000);
    expect(limit.current).toBeGreaterThan(before);
  });

  it('leaves no timer behind', () => {
    const { limit, clock } = aLimit(64);
    limit.close();
    expect(clock.timerCount).toBe(0);
  });
});
