/** A condition is taken for one that never comes after so many turns of the event loop and so long. */
const turnsMax = 20_000;
const waitMsMax = 10_000;
/** Kept from before a test fakes the time. */
const now = performance.now.bind(performance);

/**
 * Waits until a condition holds, turn after turn of the event loop: no timer, so that it also works
 * while timers are faked.
 *
 * @param what completes "never happened: …".
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const begun = now();
  for (let turn = 0; turn < turnsMax || now() - begun < waitMsMax; turn++) {
    if (await condition()) {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`never happened: ${what}`);
}

/** Lets everything run that does not wait for a timer or the network. */
export async function settle(turns = 50): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Fakes timers, and nothing that streams and promises need. Undone by `jest.useRealTimers()`. */
export function fakeTimers(): void {
  jest.useFakeTimers({
    doNotFake: ['nextTick', 'setImmediate', 'clearImmediate', 'queueMicrotask', 'performance'],
  });
}
