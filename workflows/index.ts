export { batchWorkflow } from './batch.workflow';
export { shardWorkflow } from './shard.workflow';
export { sweepWorkflow } from './sweep.workflow';
