/** Runs the benchmarks' own workflows on the Temporal server of a stack. */
import { Client, Connection } from '@temporalio/client';
import type { Stack } from '../scripts/local/stack';
import { startProgram } from './child-program';
import type { WorkflowWorkerTask } from './workflow-worker';

export const benchTaskQueue = 'bench';

/** Starts a worker for them, and stops it when the measurement has ended. */
export async function withBenchWorkflows<T>(
  { temporal: { address, namespace } }: Stack,
  measure: (client: Client) => Promise<T>,
): Promise<T> {
  const task: WorkflowWorkerTask = { address, namespace, taskQueue: benchTaskQueue };
  const worker = await startProgram('workflow-worker', task);
  const connection = await Connection.connect({ address });
  try {
    return await measure(new Client({ connection, namespace }));
  } finally {
    await connection.close();
    await worker.stop();
  }
}
