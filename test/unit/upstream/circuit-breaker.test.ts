import { CircuitBreaker } from '../../../src/upstream/circuit-breaker';
import { ManualClock } from './manual-clock';

function aBreaker(): { breaker: CircuitBreaker; clock: ManualClock; events: string[] } {
  const clock = new ManualClock();
  const events: string[] = [];
  const breaker = new CircuitBreaker({
    clock,
    random: () => 1,
    onOpen: (cause) => events.push(`open ${cause}`),
    onClose: () => events.push('close'),
    onProbeDue: () => events.push(`probe at ${clock.now()}`),
  });
  return { breaker, clock, events };
}

function fail(breaker: CircuitBreaker, times: number): void {
  for (let time = 0; time < times; time++) {
    breaker.onFailure('ECONNRESET', { isProbe: breaker.onSent() });
  }
}

describe('a circuit breaker', () => {
  it('opens at the tenth failure in a row', () => {
    const { breaker, events } = aBreaker();
    fail(breaker, 9);
    expect(breaker.isOpen).toBe(false);
    fail(breaker, 1);
    expect(breaker.isOpen).toBe(true);
    expect(breaker.admits()).toBe(false);
    expect(events).toEqual(['open ECONNRESET']);
  });

  it('opens for lines that may be the trouble when ten of them fail, and not for fewer', () => {
    const { breaker } = aBreaker();
    for (let time = 0; time < 90; time++) {
      breaker.onFailure('ECONNRESET', { isProbe: false, suspect: `line ${time % 9}` });
    }
    expect(breaker.isOpen).toBe(false);
    breaker.onFailure('ECONNRESET', { isProbe: false, suspect: 'line 9' });
    expect(breaker.isOpen).toBe(true);
  });

  it('starts counting again with each answer', () => {
    const { breaker, events } = aBreaker();
    fail(breaker, 9);
    breaker.onAnswer();
    fail(breaker, 9);
    expect(breaker.isOpen).toBe(false);
    expect(events).toEqual([]);
  });

  it('lets one probe at a time through, ever more rarely, down to every 30 s', () => {
    const { breaker, clock, events } = aBreaker();
    fail(breaker, 10);
    events.length = 0;
    for (let probe = 0; probe < 7; probe++) {
      clock.advance(30_000);
      expect(breaker.admits()).toBe(true);
      expect(breaker.onSent()).toBe(true);
      expect(breaker.admits()).toBe(false);
      breaker.onFailure(503, { isProbe: true });
    }
    const times = events.map((event) => Number(event.replace('probe at ', '')));
    const sinceRound = times.map((time, round) => time - round * 30_000);
    expect(sinceRound).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('is not impressed by failures of requests that were sent before it opened', () => {
    const { breaker, clock, events } = aBreaker();
    fail(breaker, 10);
    clock.advance(1_000);
    breaker.onFailure('ECONNRESET', { isProbe: false });
    expect(breaker.admits()).toBe(true);
    expect(events).toEqual(['open ECONNRESET', 'probe at 1000']);
  });

  it('closes at the first answer, whoever gets it', () => {
    const { breaker, clock, events } = aBreaker();
    fail(breaker, 10);
    breaker.onAnswer();
    expect(breaker.isOpen).toBe(false);
    expect(events).toEqual(['open ECONNRESET', 'close']);
    expect(clock.timerCount).toBe(0);
    fail(breaker, 9);
    expect(breaker.isOpen).toBe(false);
  });

  it('lets another probe through when one was given up', () => {
    const { breaker, clock } = aBreaker();
    fail(breaker, 10);
    clock.advance(1_000);
    breaker.onGivenUp(breaker.onSent());
    expect(breaker.admits()).toBe(true);
  });

  it('leaves no timer behind', () => {
    const { breaker, clock } = aBreaker();
    fail(breaker, 10);
    breaker.close();
    expect(clock.timerCount).toBe(0);
  });
});
