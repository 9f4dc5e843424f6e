import type { Client } from '@temporalio/client';

/** What a workflow that has ended took in the engine, its children included. */
export interface WorkflowSize {
  readonly children: number;
  readonly activities: number;
  readonly events: number;
  /** Attempts of activities above the first. */
  readonly retries: number;
}

export async function readWorkflowSize(client: Client, workflowId: string): Promise<WorkflowSize> {
  const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
  const own = events ?? [];
  const childIds = own.flatMap(
    (event) =>
      event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId ?? [],
  );
  const sizes = await Promise.all(childIds.map((id) => readWorkflowSize(client, id)));
  const sum = (value: (size: WorkflowSize) => number): number =>
    sizes.reduce((total, size) => total + value(size), 0);
  const isActivity = (event: (typeof own)[number]): boolean =>
    (event.activityTaskScheduledEventAttributes ?? null) !== null;
  return {
    children: childIds.length + sum(({ children }) => children),
    activities: own.filter(isActivity).length + sum(({ activities }) => activities),
    events: own.length + sum((size) => size.events),
    retries:
      own.reduce((total, event) => total + retriesIn(event), 0) + sum((size) => size.retries),
  };
}

function retriesIn(event: {
  activityTaskStartedEventAttributes?: { attempt?: number | null } | null;
}): number {
  return (event.activityTaskStartedEventAttributes?.attempt ?? 1) - 1;
}
