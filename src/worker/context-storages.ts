/**
 * The SDK hands an activity its context in an `AsyncLocalStorage`. Before Node.js 24, once such a
 * storage is in use, every promise and every write to a socket calls back into JavaScript: a
 * sixteenth of the processor time of a worker that sends requests as fast as it can.
 *
 * Slices, which run for minutes, ask for their context once, at their start. So the storages are
 * switched off whenever nothing but slices runs; whoever uses one next switches it on again.
 */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';

export class ContextStorages {
  /** Running activities that may look for their context at any time. */
  private users = 0;

  constructor(private readonly storages: readonly Pick<AsyncLocalStorage<unknown>, 'disable'>[]) {}

  /** For workers whose activities take their context before they first wait, and never again. */
  readonly ofSlices: ActivityInterceptorsFactory = () => ({
    inbound: {
      execute: async (input, next) => {
        const result = next(input);
        this.switchOff();
        return await result;
      },
    },
  });

  readonly ofOthers: ActivityInterceptorsFactory = () => ({
    inbound: {
      execute: async (input, next) => {
        this.users += 1;
        try {
          return await next(input);
        } finally {
          this.users -= 1;
          this.switchOff();
        }
      },
    },
  });

  private switchOff(): void {
    if (this.users === 0) {
      this.storages.forEach((storage) => {
        storage.disable();
      });
    }
  }
}
