import { SlowStart } from '../../../src/upstream/slow-start';

function addAnswers(start: SlowStart, count: number, latencyMs: number, work = 10): void {
  for (let answer = 0; answer < count; answer++) {
    start.add(0, latencyMs, work);
  }
}

describe('the slow start', () => {
  it('is over when a unit of work takes half as long again', () => {
    const start = new SlowStart();
    addAnswers(start, 64, 1_000);
    addAnswers(start, 64, 1_400);
    expect(start.isOver).toBe(false);
    addAnswers(start, 16, 1_600);
    expect(start.isOver).toBe(true);
  });

  it('tells from a single answer that they take longer, as soon as there is something to compare', () => {
    const start = new SlowStart();
    addAnswers(start, 15, 1_000);
    expect([start.isKnown, start.isSlower]).toEqual([false, false]);
    addAnswers(start, 1, 1_000);
    expect([start.isKnown, start.isSlower]).toEqual([true, false]);
    addAnswers(start, 1, 1_600);
    expect([start.isSlower, start.isOver]).toEqual([true, false]);
  });

  it('goes on when answers take longer because there is more in them', () => {
    const start = new SlowStart();
    addAnswers(start, 16, 1_000, 10);
    addAnswers(start, 16, 4_000, 40);
    expect(start.isOver).toBe(false);
  });

  it('tells from the work done how many requests the upstream works on at a time', () => {
    const start = new SlowStart();
    addAnswers(start, 32, 1_000);
    addAnswers(start, 32, 2_000);
    expect(start.workedOn(2_000)).toBe(32);
  });
});
