/** How the workflow of a batch is started, by whomever. */
import type { WorkflowStartOptions } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import type { BatchStatus, NewBatch } from '../domain/batch';
import {
  searchAttributeNames,
  taskQueues,
  type BatchWorkflowInput,
} from '../domain/workflow-contract';

const names = searchAttributeNames;
const statusKey = defineSearchAttributeKey(names.status, SearchAttributeType.KEYWORD);
const projectKey = defineSearchAttributeKey(names.project, SearchAttributeType.KEYWORD);
const expiresAtKey = defineSearchAttributeKey(names.expiresAt, SearchAttributeType.DATETIME);

type BatchStartOptions = Pick<
  WorkflowStartOptions,
  'workflowId' | 'taskQueue' | 'priority' | 'memo' | 'typedSearchAttributes'
> & { readonly args: [BatchWorkflowInput] };

export function batchStartOptions(
  input: BatchWorkflowInput,
  status: BatchStatus,
): BatchStartOptions {
  const { batch, taskQueuePrefix } = input;
  return {
    workflowId: batch.id,
    taskQueue: taskQueues(taskQueuePrefix).orchestrator,
    args: [{ ...input, fewSteps: true, showsLate: true }],
    // Its activities and children have it too: task queues that fill up serve projects in turn.
    priority: { fairnessKey: batch.projectId },
    memo: memoOf(batch),
    typedSearchAttributes: [
      { key: statusKey, value: status },
      { key: projectKey, value: batch.projectId },
      { key: expiresAtKey, value: new Date(batch.expiresAt * 1000) },
    ],
  };
}

function memoOf(batch: NewBatch): Record<string, string> {
  return {
    endpoint: batch.endpoint,
    inputFileId: batch.inputFileId,
    outputFileId: batch.resultFileIds.output,
    errorFileId: batch.resultFileIds.error,
  };
}
