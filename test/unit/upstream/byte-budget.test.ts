import { ByteBudget } from '../../../src/upstream/byte-budget';

describe('a byte budget', () => {
  it('has room until it is used up', () => {
    const budget = new ByteBudget(10);
    budget.add(9);
    expect(budget.hasRoom()).toBe(true);
    budget.add(1);
    expect(budget.hasRoom()).toBe(false);
    budget.remove(1);
    expect(budget.hasRoom()).toBe(true);
    expect(budget.bytesHeld).toBe(9);
  });

  it('lets a piece through that is larger than itself', () => {
    const budget = new ByteBudget(10);
    budget.add(1_000);
    expect(budget.hasRoom()).toBe(false);
    budget.remove(1_000);
    expect(budget.hasRoom()).toBe(true);
  });

  it('does not keep anybody waiting while there is room', async () => {
    await expect(new ByteBudget(1).waitForRoom()).resolves.toBeUndefined();
  });

  it('wakes everybody who waits, once there is room', async () => {
    const budget = new ByteBudget(10);
    budget.add(20);
    const woken: string[] = [];
    const waiting = ['a', 'b'].map((name) => budget.waitForRoom().then(() => woken.push(name)));
    budget.remove(5);
    await Promise.resolve();
    expect(woken).toEqual([]);
    budget.remove(6);
    await Promise.all(waiting);
    expect(woken).toEqual(['a', 'b']);
  });
});
