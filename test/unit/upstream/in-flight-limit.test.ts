import { InFlightLimit } from '../../../src/upstream/in-flight-limit';

describe('the limit of requests in flight', () => {
  it('is the maximum until the upstream has too much to do', () => {
    const limit = new InFlightLimit(64);
    limit.onSuccess();
    expect(limit.current).toBe(64);
  });

  it('halves once for a round of refusals', () => {
    const limit = new InFlightLimit(64);
    expect(limit.onCongestion(1, 64)).toBe(true);
    expect(limit.onCongestion(2, 64)).toBe(false);
    expect(limit.onCongestion(64, 64)).toBe(false);
    expect(limit.current).toBe(32);
    expect(limit.onCongestion(65, 96)).toBe(true);
    expect(limit.current).toBe(16);
  });

  it('never falls below one', () => {
    const limit = new InFlightLimit(3);
    for (let sent = 1; sent < 10; sent++) {
      limit.onCongestion(sent, sent);
    }
    expect(limit.current).toBe(1);
  });

  it('does not fall below 16 for requests without an answer in time when none has one', () => {
    const limit = new InFlightLimit(64);
    const timeOut = (sentAt: number): number => {
      limit.onTimeout(sentAt, sentAt);
      return limit.current;
    };
    expect([1, 2, 3, 4].map(timeOut)).toEqual([32, 16, 16, 16]);
    limit.onSuccess();
    expect([5, 6].map(timeOut)).toEqual([8, 16]);
  });

  it('grows back by one for each round of answers, to the maximum', () => {
    const limit = new InFlightLimit(8);
    limit.onCongestion(8, 8);
    for (let answers = 0; answers < 5; answers++) {
      limit.onSuccess();
    }
    expect(limit.current).toBe(5);
    for (let answers = 0; answers < 100; answers++) {
      limit.onSuccess();
    }
    expect(limit.current).toBe(8);
  });
});
