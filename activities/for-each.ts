import { Context } from '@temporalio/activity';
import { TaskGroup } from '../src/storage/task-group';

/**
 * Does something to each item, to several at a time. Stops early when the worker is told to stop: the
 * next run goes on.
 *
 * @throws the first failure, after which no more is begun.
 */
export async function forEach<T>(
  items: AsyncGenerator<T, void> | Iterable<T>,
  inParallelMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const { cancellationSignal } = Context.current();
  const group = new TaskGroup(inParallelMax);
  for await (const item of items) {
    if (cancellationSignal.aborted) {
      break;
    }
    await group.start(async () => {
      await work(item);
    });
  }
  await group.finish();
}
