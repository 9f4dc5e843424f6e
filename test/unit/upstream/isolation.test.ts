import { Isolation } from '../../../src/upstream/isolation';

const culprit = { name: 'culprit' };
const innocent = { name: 'innocent' };
const other = { name: 'other' };
const up = { isOpen: false };

describe('isolation', () => {
  it('is no matter while there are no suspects', () => {
    const isolation = new Isolation();
    expect(isolation.admits(innocent, false, up)).toBe(true);
    isolation.onSent(innocent, false);
    expect(isolation.admits(other, false, up)).toBe(true);
  });

  it('keeps a suspect apart from others, which wait for it', () => {
    const isolation = new Isolation();
    const company = isolation.onSent(other, false);
    expect(isolation.admits(culprit, true, up)).toBe(false);
    expect(isolation.admits(innocent, false, up)).toBe(false);
    isolation.onEnd(company, true);
    expect(isolation.admits(innocent, false, up)).toBe(false);
    expect(isolation.admits(culprit, true, up)).toBe(true);
    const alone = isolation.onSent(culprit, true);
    expect(isolation.admits(innocent, false, up)).toBe(false);
    isolation.onEnd(alone, false);
    expect(isolation.admits(innocent, false, up)).toBe(true);
  });

  it('lets ever more suspects go at a time while they are answered, and then one again', () => {
    const isolation = new Isolation();
    const admitted = (): boolean => isolation.admits(culprit, true, up);
    const first = isolation.onSent(innocent, true);
    expect(admitted()).toBe(false);
    isolation.onEnd(first, true);
    const second = isolation.onSent(innocent, true);
    expect(admitted()).toBe(true);
    const third = isolation.onSent(culprit, true);
    expect(admitted()).toBe(false);
    isolation.onEnd(second, false);
    isolation.onEnd(third, false);
    isolation.onSent(innocent, true);
    expect(admitted()).toBe(false);
  });

  it('forgets a suspect that is not to be sent any more', () => {
    const isolation = new Isolation();
    const company = isolation.onSent(other, false);
    isolation.admits(culprit, true, up);
    isolation.forget(culprit);
    expect(isolation.admits(innocent, false, up)).toBe(true);
    isolation.onEnd(company, true);
  });

  it('lets nobody wait for a suspect whose route is held', () => {
    const isolation = new Isolation();
    const route = { isOpen: false };
    const company = isolation.onSent(other, false);
    expect(isolation.admits(culprit, true, route)).toBe(false);
    route.isOpen = true;
    expect(isolation.admits(innocent, false, up)).toBe(true);
    route.isOpen = false;
    expect(isolation.admits(innocent, false, up)).toBe(false);
    isolation.onEnd(company, true);
    expect(isolation.admits(culprit, true, route)).toBe(true);
  });

  it('knows who was alone', () => {
    const isolation = new Isolation();
    const first = isolation.onSent(innocent, false);
    expect(isolation.wasAlone(first)).toBe(true);
    const second = isolation.onSent(other, false);
    expect([first, second].map((company) => isolation.wasAlone(company))).toEqual([false, false]);
  });
});
