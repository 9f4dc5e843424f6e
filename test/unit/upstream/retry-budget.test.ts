import { RetryBudget } from '../../../src/upstream/retry-budget';

/** Sends as many retries as are admitted, a hundred at most. */
function sendRetries(budget: RetryBudget, limit: number): number {
  let sent = 0;
  while (sent < 100 && budget.admits(limit)) {
    budget.onSent(true);
    sent += 1;
  }
  return sent;
}

function end(budget: RetryBudget, retries: number, isSuccess: boolean): void {
  for (let retry = 0; retry < retries; retry++) {
    budget.onEnd(true, isSuccess);
  }
}

describe('the retry budget of an upstream', () => {
  it.each([
    [1, 16],
    [64, 16],
    [100, 20],
    [256, 52],
  ])('with %s requests at a time admits %s retries that fail', (limit, expected) => {
    const budget = new RetryBudget();
    for (let round = 0; round < 5; round++) {
      expect(sendRetries(budget, limit)).toBe(expected);
      end(budget, expected, false);
    }
  });

  it('admits one more for each that succeeds, and one fewer for each that fails', () => {
    const budget = new RetryBudget();
    end(budget, sendRetries(budget, 20), true);
    expect(sendRetries(budget, 20)).toBe(32);
    end(budget, 32, true);
    expect(sendRetries(budget, 20)).toBe(64);
    end(budget, 64, false);
    expect(sendRetries(budget, 20)).toBe(16);
  });

  it('admits one more for five first attempts that succeed', () => {
    const budget = new RetryBudget();
    for (let answer = 0; answer < 50; answer++) {
      budget.onSent(false);
      budget.onEnd(false, true);
    }
    expect(sendRetries(budget, 20)).toBe(26);
  });
});
