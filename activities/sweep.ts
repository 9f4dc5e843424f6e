/**
 * Does what the agenda says is due: expired and deleted files, content that never became a file,
 * uploads, what creates have fixed, batches whose time is over. Then the markers of batches that
 * never came to be.
 *
 * Idempotent: each removal is, and an entry goes after what it is about.
 * Heartbeats every second with what it has done.
 * Resumes by looking again: what is done is not on the agenda any more.
 * Never fails for good. What cannot be removed now is left for the next sweep, and does not keep
 * others waiting.
 */
import { isBatchId, isUploadId } from '../src/domain/ids';
import type { SweepResult } from '../src/domain/workflow-contract';
import { parseFileSubject } from '../src/storage/file-store';
import type { AgendaEntry } from '../src/storage/agenda';
import { closeIfAbandoned, longOpenBatches, releaseAbandonedUses } from './abandoned-batches';
import { nowSeconds, type ActivityDeps } from './deps';
import { forEach } from './for-each';
import { heartbeating } from './heartbeating';
import { removeBatch } from './remove-batch';

const removalsInParallel = 8;
/** A worker of another version may know the subject; during a deploy it comes by within a day. */
const unknownSecondsMax = 86_400;
const createPrefix = 'create:';

type Counts = { -readonly [K in keyof SweepResult]: SweepResult[K] };

export async function sweep(deps: ActivityDeps): Promise<SweepResult> {
  const counts: Counts = { done: 0, later: 0, failed: 0 };
  await heartbeating(counts, async () => {
    const now = nowSeconds(deps);
    await forEach(deps.agenda.due(now), removalsInParallel, async (entry) => {
      counts[await sweepEntry(deps, entry, now)] += 1;
    });
    await forEach(longOpenBatches(deps), removalsInParallel, async (ref) => {
      try {
        await closeIfAbandoned(deps, ref);
      } catch (error) {
        counts.failed += 1;
        deps.logger.warn({ batch: ref.batchId, err: error }, 'marker left for the next sweep');
      }
    });
  });
  if (counts.done > 0) {
    deps.logger.info({ ...counts }, 'sweep has removed what was due');
  }
  return counts;
}

async function sweepEntry(
  deps: ActivityDeps,
  entry: AgendaEntry,
  now: number,
): Promise<keyof SweepResult> {
  try {
    if (await isDone(deps, entry, now)) {
      await deps.agenda.remove(entry);
      return 'done';
    }
    return 'later';
  } catch (error) {
    deps.logger.warn({ subject: entry.subject, err: error }, 'left for the next sweep');
    return 'failed';
  }
}

/** Whether nothing is left to do about the subject of an entry. */
async function isDone(deps: ActivityDeps, entry: AgendaEntry, now: number): Promise<boolean> {
  const { projectId, subject } = entry;
  const file = parseFileSubject(subject);
  if (file !== undefined) {
    if (await deps.files.sweep(projectId, file, now)) {
      return true;
    }
    await releaseAbandonedUses(deps, projectId, file.fileId);
    return false;
  }
  if (isUploadId(subject)) {
    return await deps.uploads.sweep(projectId, subject, now);
  }
  if (isBatchId(subject)) {
    return await removeBatch(deps, { projectId, batchId: subject }, now);
  }
  if (subject.startsWith(createPrefix)) {
    await deps.createdBatches.sweep(projectId, subject.slice(createPrefix.length), now);
    return true;
  }
  if (now - entry.dueSeconds > unknownSecondsMax) {
    deps.logger.error({ subject }, 'the agenda names what nobody knows: dropped');
    return true;
  }
  return false;
}
