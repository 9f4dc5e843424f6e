import { CircuitBreaker } from '../../../src/upstream/circuit-breaker';
import { HealthCheck, type Sight } from '../../../src/upstream/health-check';
import { ManualClock } from './manual-clock';

/** A breaker whose checks end when the test says so. */
function aBreaker(): {
  breaker: CircuitBreaker;
  clock: ManualClock;
  events: string[];
  see: (sight: Sight) => void;
} {
  const clock = new ManualClock();
  const events: string[] = [];
  let running: ((sight: Sight) => void) | undefined;
  const breaker = new CircuitBreaker({
    clock,
    random: () => 1,
    health: new HealthCheck((onSeen) => {
      events.push(`check at ${clock.now()}`);
      running = onSeen;
      return () => {
        running = undefined;
      };
    }),
    onOpen: (cause) => events.push(`open ${cause}`),
    onClose: () => events.push('close'),
    onUnanswered: (cause) => events.push(`unanswered ${cause}`),
    onAdmit: () => undefined,
  });
  const see = (sight: Sight): void => {
    const seen = running;
    running = undefined;
    seen?.(sight);
  };
  return { breaker, clock, events, see };
}

function fail(breaker: CircuitBreaker, times: number, isRouteFault = false): void {
  for (let time = 0; time < times; time++) {
    const cause = isRouteFault ? 404 : 'ECONNRESET';
    breaker.onFailure(cause, { isTrial: breaker.onSent(), isRouteFault });
  }
}

function aBreakerThatIsDown(): ReturnType<typeof aBreaker> {
  const world = aBreaker();
  fail(world.breaker, 10);
  world.see('unreachable');
  world.events.length = 0;
  return world;
}

describe('a circuit breaker', () => {
  it('has the upstream checked at the first failure, and sends nothing new after ten', () => {
    const { breaker, events, see } = aBreaker();
    fail(breaker, 9);
    expect(breaker.admits()).toBe(true);
    fail(breaker, 1);
    expect(breaker.admits()).toBe(false);
    see('unreachable');
    expect(breaker.isOpen).toBe(true);
    expect(breaker.downs).toBe(1);
    expect(events).toEqual(['check at 0', 'open ECONNRESET']);
  });

  it('lets no line try again before the upstream is known to be well', () => {
    const { breaker, see } = aBreaker();
    expect(breaker.admitsRetry()).toBe(true);
    fail(breaker, 1);
    expect(breaker.admitsRetry()).toBe(false);
    see('well');
    expect(breaker.admitsRetry()).toBe(true);
    fail(breaker, 1);
    breaker.onAnswer();
    expect(breaker.admitsRetry()).toBe(true);
  });

  it('checks again for what has failed during a check, four times a second at most', () => {
    const { breaker, clock, events, see } = aBreaker();
    fail(breaker, 1);
    for (let round = 0; round < 3; round++) {
      fail(breaker, 2);
      see('well');
      expect(breaker.admits()).toBe(true);
      expect(breaker.admitsRetry()).toBe(false);
      clock.advance(250);
    }
    see('well');
    expect(breaker.admitsRetry()).toBe(true);
    clock.advance(10_000);
    expect(events).toEqual(['check at 0', 'check at 250', 'check at 500', 'check at 750']);
  });

  it('stays closed for an upstream that is well, however often lines fail', () => {
    const { breaker, clock, events, see } = aBreaker();
    for (let round = 0; round < 20; round++) {
      fail(breaker, 10);
      see('well');
      clock.advance(1_000);
    }
    expect(breaker.isOpen).toBe(false);
    expect(breaker.downs).toBe(0);
    expect(events).not.toContain('close');
  });

  it('tells once of an upstream that is well but answers no line, until it does', () => {
    const { breaker, clock, events, see } = aBreaker();
    const told = (): string[] => events.filter((event) => !event.startsWith('check'));
    for (let round = 0; round < 30; round++) {
      fail(breaker, 1);
      see('well');
      clock.advance(1_000);
    }
    expect(told()).toEqual(['unanswered ECONNRESET']);
    breaker.onAnswer();
    fail(breaker, 9);
    see('well');
    expect(told()).toHaveLength(1);
    fail(breaker, 1);
    clock.advance(1_000);
    see('well');
    expect(told()).toHaveLength(2);
  });

  it('takes an answer for the end of a check', () => {
    const { breaker, see } = aBreaker();
    fail(breaker, 10);
    breaker.onAnswer();
    see('unreachable');
    expect(breaker.admits()).toBe(true);
    expect(breaker.downs).toBe(0);
  });

  it('checks an upstream that is down ever more rarely, down to every 30 s', () => {
    const { clock, events, see } = aBreakerThatIsDown();
    for (let check = 0; check < 7; check++) {
      clock.advance(30_000);
      see('silent');
    }
    const times = events.map((event) => Number(event.replace('check at ', '')));
    const sinceRound = times.map((time, round) => time - round * 30_000);
    expect(sinceRound).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('lets one line at a time try an upstream that is still down', () => {
    const { breaker, clock, see } = aBreakerThatIsDown();
    expect(breaker.admits()).toBe(false);
    clock.advance(1_000);
    see('unreachable');
    expect(breaker.onSent()).toBe(true);
    expect(breaker.admits()).toBe(false);
    clock.advance(2_000);
    see('unreachable');
    expect(breaker.admits()).toBe(false);
    breaker.onFailure('ECONNRESET', { isTrial: true, isRouteFault: false });
    clock.advance(4_000);
    see('unreachable');
    expect(breaker.admits()).toBe(true);
  });

  it('closes when the check says that all is well', () => {
    const { breaker, clock, events, see } = aBreakerThatIsDown();
    clock.advance(1_000);
    see('well');
    expect(breaker.admits()).toBe(true);
    expect(events).toEqual(['check at 1000', 'close']);
    expect(clock.timerCount).toBe(0);
  });

  it('closes at the first answer, whoever gets it', () => {
    const { breaker, clock, events } = aBreakerThatIsDown();
    breaker.onAnswer();
    expect(breaker.isOpen).toBe(false);
    expect(events).toEqual(['close', 'check at 0']);
    expect(clock.timerCount).toBe(0);
  });

  it('is not impressed by failures of requests that were sent before it opened', () => {
    const { breaker, clock, events } = aBreakerThatIsDown();
    clock.advance(500);
    breaker.onFailure('ECONNRESET', { isTrial: false, isRouteFault: false });
    expect(events).toEqual([]);
    expect(breaker.downs).toBe(1);
  });

  it('lets another line try when the one that did was given up', () => {
    const { breaker, clock, see } = aBreakerThatIsDown();
    clock.advance(1_000);
    see('unreachable');
    breaker.onGivenUp(breaker.onSent());
    expect(breaker.admits()).toBe(true);
  });

  it('leaves no timer and no check behind', () => {
    const { breaker, clock, see } = aBreakerThatIsDown();
    clock.advance(1_000);
    breaker.close();
    see('well');
    expect(clock.timerCount).toBe(0);
    expect(breaker.isOpen).toBe(true);
  });
});

describe('a fault of the route', () => {
  it('opens at the tenth in a row, and is tried by one line at a time without a check', () => {
    const { breaker, clock, events } = aBreaker();
    fail(breaker, 10, true);
    expect(events).toEqual(['open 404']);
    const delays = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    for (const delayMs of delays) {
      clock.advance(delayMs - 1);
      expect(breaker.admits()).toBe(false);
      clock.advance(1);
      expect(breaker.admits()).toBe(true);
      fail(breaker, 1, true);
    }
    expect(events).toEqual(['open 404']);
    expect(breaker.downs).toBe(0);
  });

  it('is told from an upstream that has gone down meanwhile, and the other way about', () => {
    const { breaker, clock, events, see } = aBreaker();
    fail(breaker, 10, true);
    clock.advance(1_000);
    fail(breaker, 1);
    clock.advance(2_000);
    see('silent');
    expect(events).toEqual(['open 404', 'check at 3000']);
    fail(breaker, 1, true);
    clock.advance(60_000);
    expect(events).toHaveLength(2);
    expect(breaker.admits()).toBe(true);
  });
});
