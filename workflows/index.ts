export { batchWorkflow } from './batch.workflow';
export { notificationWorkflow } from './notification.workflow';
export { recoveryWorkflow } from './recovery.workflow';
export { shardWorkflow } from './shard.workflow';
export { sweepWorkflow } from './sweep.workflow';
