import { Context } from '@temporalio/activity';

const intervalMs = 1_000;

/**
 * Heartbeats on a timer while the work runs, so that one slow call is not taken for a dead worker.
 *
 * @param details sent each time as it then is; the work may change it.
 */
export async function heartbeating<T>(details: object, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const timer = setInterval(() => {
    context.heartbeat({ ...details });
  }, intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
