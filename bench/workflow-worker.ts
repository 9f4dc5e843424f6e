/**
 * A worker for the benchmarks' own workflows, in a process of its own. Its one argument is a
 * {@link WorkflowWorkerTask} as JSON, its one line on standard output says that it is ready; it ends
 * when its standard input does.
 */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { EmptyActivities } from './bench-workflows';

export interface WorkflowWorkerTask {
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
}

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? '') as WorkflowWorkerTask;
  // Told to end, it ends at once: its polls would take a minute to return.
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  const activities: EmptyActivities = { nothing: () => Promise.resolve() };
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address: task.address }),
    namespace: task.namespace,
    taskQueue: task.taskQueue,
    workflowsPath: require.resolve('./bench-workflows'),
    activities,
  });
  process.stdin.resume().once('end', () => process.exit());
  const run = worker.run();
  process.stdout.write('{"ready":true}\n');
  await run;
}

void main();
