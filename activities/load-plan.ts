import { isTerminal, type BatchRecord } from '../src/domain/batch';
import { onlyShardPlan, type ShardPlan } from '../src/domain/shard-plan';
import { refOf } from '../src/domain/workflow-contract';
import { MissingObject, type ActivityDeps } from './deps';
import { inputFile, readInput } from './read-input';

/**
 * The plan of a batch; `undefined` while its input is not validated, and after its end. That of a
 * single shard follows from the record. Where the object is damaged or gone, it is made again: the same
 * input gives the same plan.
 *
 * @throws {@link MissingObject} when the input is not valid any more, as when a model of it is no
 *   longer served.
 */
export async function loadPlan(
  deps: ActivityDeps,
  batch: BatchRecord,
): Promise<ShardPlan | undefined> {
  const ref = refOf(batch);
  const { requestCounts, model, onlyShardBytes } = batch;
  if (onlyShardBytes !== undefined && !isTerminal(batch.status)) {
    return onlyShardPlan({ total: requestCounts.total, model }, onlyShardBytes);
  }
  const plan = await deps.batches.getPlan(ref);
  if (plan !== undefined || batch.inProgressAt === null || isTerminal(batch.status)) {
    return plan;
  }
  deps.logger.error({ batch: batch.id }, 'the plan is damaged or missing: it is made again');
  const { file } = await inputFile(deps, batch);
  const progress = { bytesRead: 0, bytesTotal: 0, errors: 0 };
  const limits = await deps.projects.limits(batch.projectId, deps.settings.limits);
  const findings = file && (await readInput(deps, { batch, file, limits, progress }));
  if (findings === undefined || findings.errorCount > 0) {
    throw new MissingObject('plan', ref);
  }
  await deps.batches.putPlan(ref, findings.plan);
  return findings.plan;
}
