/**
 * Does what the agenda says is due: expired and deleted files, content that never became a file,
 * uploads, what creates have fixed. Then the markers of batches that never came to be, the attempts
 * at creates that nobody will repeat, and the batches whose time is over.
 *
 * Idempotent: each removal is, and an entry goes after what it is about.
 * Heartbeats every second with what it has done.
 * Resumes by looking again: what is done is not there any more.
 * Never fails for good. What cannot be removed now is left for the next sweep, and does not keep
 * others waiting.
 */
import { isBatchId, isProjectId, isUploadId, type ProjectId } from '../src/domain/ids';
import { projectsPrefix } from '../src/domain/object-keys';
import type { SweepResult } from '../src/domain/workflow-contract';
import { parseFileSubject } from '../src/storage/file-store';
import type { AgendaEntry } from '../src/storage/agenda';
import { listIds } from '../src/storage/list-ids';
import { closeIfAbandoned, longOpenBatches, releaseAbandonedUses } from './abandoned-batches';
import { nowSeconds, type ActivityDeps } from './deps';
import { forEach } from './for-each';
import { heartbeating } from './heartbeating';
import { oldBatches, removeIfOld } from './remove-batch';

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
      await orLeft(deps, counts, { batch: ref.batchId }, async () => {
        await closeIfAbandoned(deps, ref);
      });
    });
    const all = { limit: Number.MAX_SAFE_INTEGER };
    const projects = await listIds(deps.store, projectsPrefix, isProjectId, all);
    await forEach(projects.items, removalsInParallel, async (projectId) => {
      await orLeft(deps, counts, { project: projectId }, async () => {
        await deps.createdBatches.sweepAttempts(projectId, now);
      });
      await orLeft(deps, counts, { project: projectId }, async () => {
        await sweepBatches(deps, counts, projectId, now);
      });
    });
  });
  if (counts.done > 0) {
    deps.logger.info({ ...counts }, 'sweep has removed what was due');
  }
  return counts;
}

async function sweepBatches(
  deps: ActivityDeps,
  counts: Counts,
  projectId: ProjectId,
  now: number,
): Promise<void> {
  await forEach(oldBatches(deps, projectId, now), removalsInParallel, async (ref) => {
    await orLeft(deps, counts, { batch: ref.batchId }, async () => {
      if (await removeIfOld(deps, ref, now)) {
        counts.done += 1;
      }
    });
  });
}

async function orLeft(
  { logger }: ActivityDeps,
  counts: Counts,
  subject: object,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    counts.failed += 1;
    logger.warn({ ...subject, err: error }, 'left for the next sweep');
  }
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
    // Of versions that did not find batches by their age.
    return true;
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
