import type { LineAttempts } from '../../../src/domain/retry';
import { Line, type FailedAttempt } from '../../../src/upstream/line';
import { lineRequest } from './support';

const patienceMs = 60_000;

function aLine(earlierAttempts?: LineAttempts): Line {
  return new Line({ ...lineRequest(0), earlierAttempts }, 0);
}

/** An attempt that was not answered, by default at an upstream that stays up. */
function anAttempt(
  overrides: Partial<FailedAttempt> & { readonly downsBefore?: number } = {},
): FailedAttempt {
  const { downsBefore = 0, ...rest } = overrides;
  return {
    kind: 'unavailable',
    sending: { isTrial: false, downs: downsBefore },
    othersSucceeded: false,
    isAlone: true,
    downs: downsBefore,
    now: 0,
    patienceMs,
    ...rest,
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
    const attempts = Array.from({ length: 20 }, (_, downsBefore) =>
      anAttempt({
        downsBefore,
        othersSucceeded: true,
        isAlone: false,
        now: downsBefore * patienceMs,
      }),
    );
    expect(failAll(line, attempts)).not.toContain(true);
    expect(line.attempts(20 * patienceMs, 20)).toEqual({
      failed: 20,
      counted: {},
      failingMs: 0,
      downs: 20,
    });
  });

  it('count when the upstream went down each time that the line was alone', () => {
    const attempts = Array.from({ length: 6 }, (_, downsBefore) => anAttempt({ downsBefore }));
    expect(failAll(aLine(), attempts)).toEqual([false, false, false, false, false, true]);
  });

  it('count for nothing while the upstream is down', () => {
    const line = aLine();
    const trial = anAttempt({ sending: { isTrial: true, downs: 1 }, downs: 1 });
    for (let now = 0; now < 100 * patienceMs; now += patienceMs) {
      expect(line.fail({ ...trial, now, othersSucceeded: true })).toBe(false);
    }
  });
});

describe('a line', () => {
  it('is a suspect when its upstream went down with it twice in a row', () => {
    const line = aLine();
    line.fail(anAttempt());
    expect(line.isSuspect(1)).toBe(false);
    line.fail(anAttempt({ downsBefore: 1 }));
    expect(line.isSuspect(1)).toBe(false);
    expect(line.isSuspect(2)).toBe(true);
  });

  it('is not a suspect any more when an attempt left the upstream up', () => {
    const line = aLine();
    line.fail(anAttempt({ downsBefore: 0 }));
    line.fail(anAttempt({ downsBefore: 1 }));
    line.fail(anAttempt({ downsBefore: 2 }));
    line.fail(anAttempt({ downsBefore: 2 }));
    expect(line.isSuspect(2)).toBe(false);
  });

  it.each(['server_error', 'rate_limited'] as const)('nor when it got an answer: %s', (kind) => {
    const line = aLine({ failed: 2, counted: {}, failingMs: 0, downs: 2 });
    expect(line.isSuspect(0)).toBe(true);
    line.fail(anAttempt({ kind }));
    expect(line.isSuspect(0)).toBe(false);
  });

  it('hands on what an attempt has come to that is not judged yet', () => {
    const line = aLine();
    line.fail(anAttempt({ othersSucceeded: true, now: 1_000 }));
    expect(line.attempts(3_000, 0)).toEqual({
      failed: 1,
      counted: { unavailable: 1 },
      failingMs: 2_000,
    });
  });
});
