import {
  attemptCounts,
  attemptKindOf,
  attemptKinds,
  attemptPolicies,
  backoffMs,
  retryAfterMs,
  type AttemptContext,
  type AttemptKind,
} from '../../../src/domain/retry';

test('a status says what an attempt was', () => {
  const check = (kind: AttemptKind, statuses: readonly number[]): void => {
    expect(statuses.map(attemptKindOf)).toEqual(statuses.map(() => kind));
  };
  check('answer', [200, 201, 204, 299, 400, 405, 406, 410, 413, 415, 422, 451, 499]);
  check('server_error', [408, 409, 425, 500, 501, 505, 520, 529, 599]);
  check('unavailable', [502, 503, 504]);
  check('rate_limited', [429]);
  check('route_fault', [300, 301, 302, 304, 307, 308, 399, 401, 402, 403, 404]);
});

test('whether a failed attempt counts depends on how the upstream does otherwise', () => {
  type FailedKind = Exclude<AttemptKind, 'answer'>;
  const contexts: AttemptContext[] = [false, true].flatMap((patienceIsOver) =>
    [false, true].map((othersSucceeded) => ({ othersSucceeded, patienceIsOver })),
  );
  const expected: Readonly<Record<FailedKind, (context: AttemptContext) => boolean>> = {
    server_error: () => true,
    unavailable: ({ othersSucceeded, patienceIsOver }) => othersSucceeded || patienceIsOver,
    unreachable: () => false,
    rate_limited: ({ othersSucceeded }) => othersSucceeded,
    route_fault: ({ othersSucceeded }) => othersSucceeded,
  };
  const failedKinds = attemptKinds.filter((kind) => kind !== 'answer');
  for (const kind of failedKinds) {
    for (const context of contexts) {
      expect([kind, context, attemptCounts(kind, context)]).toEqual([
        kind,
        context,
        expected[kind](context),
      ]);
    }
  }
  expect(Object.keys(attemptPolicies)).toEqual(failedKinds);
});

describe('backoff', () => {
  it('lies between half of and all of 0.5 s doubled with each failure', () => {
    [500, 1_000, 2_000, 4_000, 8_000, 16_000].forEach((ceiling, index) => {
      expect(backoffMs(index + 1, 0)).toBe(ceiling / 2);
      expect(backoffMs(index + 1, 0.999_999)).toBe(ceiling);
    });
  });

  it('is never longer than 30 s', () => {
    for (const failures of [7, 8, 100, 5_000]) {
      expect(backoffMs(failures, 0)).toBe(15_000);
      expect(backoffMs(failures, 0.999_999)).toBe(30_000);
    }
  });
});

describe('Retry-After', () => {
  const nowMs = Date.UTC(2025, 0, 1, 12, 0, 0);

  function check(header: string | undefined, expected: number | undefined): void {
    expect([header, retryAfterMs(header, nowMs)]).toEqual([header, expected]);
  }

  it('may be seconds', () => {
    check('0', 0);
    check('7', 7_000);
    check(' 7 ', 7_000);
    check('1.5', 1_500);
  });

  it('may be an HTTP date in any of its three forms', () => {
    check('Wed, 01 Jan 2025 12:00:30 GMT', 30_000);
    check('Wednesday, 01-Jan-25 12:00:30 GMT', 30_000);
    check('Wed Jan  1 12:00:30 2025', 30_000);
    check('Wed, 01 Jan 2025 11:00:00 GMT', 0);
  });

  it('is at most ten minutes', () => {
    check('601', 600_000);
    check('9'.repeat(400), 600_000);
    check('Fri, 01 Jan 2100 00:00:00 GMT', 600_000);
  });

  it('is as good as absent when it is unreadable', () => {
    for (const header of ['', 'soon', '-5', '1e3', '5s', 'in 5 seconds', '0x10', '2025', 'NaN']) {
      // Four digits are seconds.
      check(header, header === '2025' ? 600_000 : undefined);
    }
    check(undefined, undefined);
  });
});
