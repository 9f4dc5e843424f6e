import { EngineUnavailable } from '../../../src/temporal/batch-runner';
import { EngineGate } from '../../../src/temporal/engine-gate';
import { settle } from '../../support/eventually';

/** A call that ends when the test says so. */
class HeldCall {
  hasBegun = false;
  succeed: () => void = () => undefined;
  fail: (error: Error) => void = () => undefined;
  private readonly ended = new Promise<string>((resolve, reject) => {
    this.succeed = () => {
      resolve('done');
    };
    this.fail = reject;
  });

  readonly run = async (): Promise<string> => {
    this.hasBegun = true;
    return await this.ended;
  };
}

function pass(gate: EngineGate, count: number): { calls: HeldCall[]; passed: Promise<string>[] } {
  const calls = Array.from({ length: count }, () => new HeldCall());
  return { calls, passed: calls.map(async (call) => await gate.pass(call.run)) };
}

const begun = (calls: readonly HeldCall[]): number =>
  calls.filter(({ hasBegun }) => hasBegun).length;

test('lets so many through at a time, and the next when one has ended, however it ended', async () => {
  const { calls, passed } = pass(new EngineGate(2), 20);
  await settle();
  expect(begun(calls)).toBe(2);
  calls[0]?.succeed();
  expect(await passed[0]).toBe('done');
  calls[1]?.fail(new Error('a mistake of its own'));
  await expect(passed[1]).rejects.toThrow('a mistake of its own');
  await settle();
  expect(begun(calls)).toBe(4);
  calls.forEach((call) => {
    call.succeed();
  });
  expect(await Promise.all(passed.slice(2))).toEqual(Array(18).fill('done'));
});

test('when the engine is unavailable to one, it is to all that wait, and the next one tries again', async () => {
  const gate = new EngineGate(1);
  const { calls, passed } = pass(gate, 20);
  await settle();
  const outage = new EngineUnavailable('nobody there');
  calls[0]?.fail(outage);
  const results = await Promise.allSettled(passed);
  expect(results).toEqual(Array(20).fill({ status: 'rejected', reason: outage }));
  expect(begun(calls)).toBe(1);
  expect(await gate.pass(async () => await Promise.resolve('back'))).toBe('back');
});
