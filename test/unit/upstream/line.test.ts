import type { LineAttempts } from '../../../src/domain/retry';
import { Line, type FailedAttempt } from '../../../src/upstream/line';
import { lineRequest } from './support';

const patienceMs = 60_000;

/** What the breaker of the line's route says. */
let route: { isOpen: boolean; downs: number; upSince: number; doubt: { wentDown: boolean } };

beforeEach(() => {
  route = { isOpen: false, downs: 0, upSince: -Infinity, doubt: { wentDown: false } };
});

function aLine(earlierAttempts?: LineAttempts): Line {
  return new Line({ ...lineRequest(0), earlierAttempts }, route, 0);
}

/** The upstream goes down and comes back. */
function goDown(upSince = 0): void {
  route.downs += 1;
  route.doubt.wentDown = true;
  recover();
  route.upSince = upSince;
}

/** Failures so far have nothing to do with what comes. */
function recover(): void {
  route.doubt = { wentDown: false };
}

/** An attempt that was not answered, sent just now. */
function anAttempt(overrides: Partial<FailedAttempt> = {}): FailedAttempt {
  return {
    kind: 'unavailable',
    route,
    sending: { isTrial: false, downs: route.downs },
    othersSucceeded: false,
    isAlone: true,
    isRefusal: false,
    now: 0,
    patienceMs,
    ...overrides,
  };
}

/** Whether each of the attempts was the last. */
function failAll(line: Line, attempts: readonly FailedAttempt[]): boolean[] {
  return attempts.map((attempt) => line.fail(attempt));
}

describe('attempts that are not answered', () => {
  it('count when others are answered meanwhile', () => {
    const attempts = Array.from({ length: 5 }, () => anAttempt({ othersSucceeded: true }));
    expect(failAll(aLine(), attempts)).toEqual([false, false, false, false, true]);
  });

  it('count when the line has failed for long', () => {
    const line = aLine();
    const times = [0, 1_000, patienceMs - 1, patienceMs, 61_000, 62_000, 63_000, 64_000];
    const ends = failAll(
      line,
      times.map((now) => anAttempt({ now })),
    );
    expect(ends.indexOf(true)).toBe(times.indexOf(64_000));
  });

  it('do not count when the upstream went down in company, and the patience starts anew', () => {
    const line = aLine();
    for (let now = 0; now < 20 * patienceMs; now += patienceMs) {
      expect(line.fail(anAttempt({ othersSucceeded: true, isAlone: false, now }))).toBe(false);
      goDown(now + patienceMs);
    }
    expect(line.attempts(20 * patienceMs)).toEqual({
      failed: 20,
      counted: {},
      failingMs: 0,
      downs: 20,
    });
  });

  it('count when the upstream went down each time that the line was alone', () => {
    const line = aLine();
    const ends = Array.from({ length: 6 }, () => {
      const isLast = line.fail(anAttempt());
      goDown();
      return isLast;
    });
    expect(ends).toEqual([false, false, false, false, false, true]);
  });

  it('do not count when the upstream had refused the line before another took it down', () => {
    const line = aLine();
    for (let round = 0; round < 20; round++) {
      expect(line.fail(anAttempt({ isRefusal: true }))).toBe(false);
      recover();
      goDown();
    }
    expect(line.isSuspect).toBe(false);
  });

  it('count when it was behind a proxy that the upstream went down', () => {
    const line = aLine();
    for (let round = 0; round < 5; round++) {
      expect(line.fail(anAttempt({ isRefusal: true }))).toBe(false);
      goDown();
    }
    expect(line.isSuspect).toBe(true);
    expect(line.fail(anAttempt())).toBe(true);
  });

  it.each([
    ['could not be reached', undefined],
    ['was in an earlier slice', { failed: 3, counted: {}, failingMs: patienceMs }],
  ])('do not count soon after an outage, if the attempt before it %s', (_what, earlier) => {
    const line = aLine(earlier);
    line.fail(anAttempt({ kind: 'unreachable' }));
    route.isOpen = true;
    route.upSince = 10 * patienceMs;
    expect(line.attempts(10 * patienceMs).failingMs).toBe(0);
    route.isOpen = false;
    goDown(10 * patienceMs);
    const attempts = Array.from({ length: 20 }, () => anAttempt({ now: 11 * patienceMs - 1 }));
    expect(failAll(line, attempts)).not.toContain(true);
  });

  it('count for nothing while the upstream is down', () => {
    const line = aLine();
    const trial = anAttempt({ sending: { isTrial: true, downs: 1 } });
    goDown();
    for (let now = 0; now < 100 * patienceMs; now += patienceMs) {
      expect(line.fail({ ...trial, now, othersSucceeded: true })).toBe(false);
    }
  });
});

describe('a line', () => {
  it('is a suspect when its upstream went down with it twice in a row', () => {
    const line = aLine();
    line.fail(anAttempt());
    goDown();
    expect(line.isSuspect).toBe(false);
    line.fail(anAttempt());
    expect(line.isSuspect).toBe(false);
    goDown();
    expect(line.isSuspect).toBe(true);
  });

  it('is a suspect when one upstream after the other went down with it', () => {
    const other = { isOpen: false, downs: 7, upSince: -Infinity, doubt: { wentDown: false } };
    const line = aLine();
    line.fail(anAttempt());
    goDown();
    line.fail(anAttempt({ route: other, sending: { isTrial: false, downs: 7 } }));
    expect(line.isSuspect).toBe(false);
    other.downs = 8;
    expect(line.isSuspect).toBe(true);
    expect(line.attempts(0)).toMatchObject({ downs: 2 });
  });

  it('is judged by what becomes of the upstream that it failed at, and not of another', () => {
    const other = { isOpen: false, downs: 0, upSince: -Infinity, doubt: { wentDown: false } };
    const line = aLine();
    line.fail(anAttempt({ othersSucceeded: true }));
    line.fail(anAttempt({ route: other, othersSucceeded: true }));
    goDown();
    expect(line.attempts(0)).toMatchObject({ failed: 2, counted: { unavailable: 2 } });
  });

  it('is not a suspect any more when an attempt left the upstream up', () => {
    const line = aLine();
    line.fail(anAttempt());
    goDown();
    line.fail(anAttempt());
    goDown();
    line.fail(anAttempt());
    line.fail(anAttempt());
    expect(line.isSuspect).toBe(false);
  });

  it('is still a suspect after an attempt that its upstream refused', () => {
    const line = aLine({ failed: 2, counted: {}, failingMs: 0, downs: 2 });
    line.fail(anAttempt({ isRefusal: true }));
    expect(line.isSuspect).toBe(true);
  });

  it.each(['server_error', 'rate_limited'] as const)('is not when it got an answer: %s', (kind) => {
    const line = aLine({ failed: 2, counted: {}, failingMs: 0, downs: 2 });
    expect(line.isSuspect).toBe(true);
    line.fail(anAttempt({ kind }));
    expect(line.isSuspect).toBe(false);
  });

  it('hands on what an attempt has come to that is not judged yet', () => {
    const line = aLine();
    line.fail(anAttempt({ othersSucceeded: true, now: 1_000 }));
    expect(line.attempts(3_000)).toEqual({
      failed: 1,
      counted: { unavailable: 1 },
      failingMs: 2_000,
    });
  });
});
