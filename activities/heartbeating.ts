import { Context } from '@temporalio/activity';

const intervalMs = 1_000;

/**
 * Heartbeats on a timer while the work runs, so that one slow call is not taken for a dead worker.
 *
 * @param details sent each time as it then is; the work may change it.
 * @param context for who asks late: a slice that has waited finds none any more.
 */
export async function heartbeating<T>(
  details: object,
  work: () => Promise<T>,
  context = Context.current(),
): Promise<T> {
  const timer = setInterval(() => {
    context.heartbeat({ ...details });
  }, intervalMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
