import { Isolation } from '../../../src/upstream/isolation';
import { Line } from '../../../src/upstream/line';
import { lineRequest } from './support';

const [culprit, innocent, other] = [0, 1, 2].map((ordinal) => new Line(lineRequest(ordinal), 0));

function given(line: Line | undefined): Line {
  if (line === undefined) {
    throw new Error('The test has no such line.');
  }
  return line;
}

describe('isolation', () => {
  it('is no matter while there are no suspects', () => {
    const isolation = new Isolation();
    expect(isolation.admits(given(innocent), false)).toBe(true);
    isolation.onSent(given(innocent), false);
    expect(isolation.admits(given(other), false)).toBe(true);
  });

  it('keeps a suspect apart from others, which wait for it', () => {
    const isolation = new Isolation();
    const company = isolation.onSent(given(other), false);
    expect(isolation.admits(given(culprit), true)).toBe(false);
    expect(isolation.admits(given(innocent), false)).toBe(false);
    isolation.onEnd(company, true);
    expect(isolation.admits(given(innocent), false)).toBe(false);
    expect(isolation.admits(given(culprit), true)).toBe(true);
    const alone = isolation.onSent(given(culprit), true);
    expect(isolation.admits(given(innocent), false)).toBe(false);
    isolation.onEnd(alone, false);
    expect(isolation.admits(given(innocent), false)).toBe(true);
  });

  it('lets ever more suspects go at a time while they are answered, and then one again', () => {
    const isolation = new Isolation();
    const admitted = (): boolean => isolation.admits(given(culprit), true);
    const first = isolation.onSent(given(innocent), true);
    expect(admitted()).toBe(false);
    isolation.onEnd(first, true);
    const second = isolation.onSent(given(innocent), true);
    expect(admitted()).toBe(true);
    const third = isolation.onSent(given(culprit), true);
    expect(admitted()).toBe(false);
    isolation.onEnd(second, false);
    isolation.onEnd(third, false);
    isolation.onSent(given(innocent), true);
    expect(admitted()).toBe(false);
  });

  it('forgets a suspect that is not to be sent any more', () => {
    const isolation = new Isolation();
    const company = isolation.onSent(given(other), false);
    isolation.admits(given(culprit), true);
    isolation.forget(given(culprit));
    expect(isolation.admits(given(innocent), false)).toBe(true);
    isolation.onEnd(company, true);
  });

  it('knows who was alone', () => {
    const isolation = new Isolation();
    const first = isolation.onSent(given(innocent), false);
    expect(isolation.wasAlone(first)).toBe(true);
    const second = isolation.onSent(given(other), false);
    expect([first, second].map((company) => isolation.wasAlone(company))).toEqual([false, false]);
  });
});
