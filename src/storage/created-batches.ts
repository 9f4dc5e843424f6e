/**
 * What creates have fixed, so that a request that is sent again makes no second batch.
 *
 * Two ways to recognise a repeat:
 * - by a name that the client gave: the first to fix a batch under it holds;
 * - by the request itself, when the client says that it is a repeat: the first attempt leaves its
 *   batch, and a repeat takes it over. Each repeat takes one that no other repeat with its number
 *   has taken, so that clients that sent the same at the same time do not end with one batch.
 *
 * What has a name has its entry in the agenda before it exists, and goes when that is due. Attempts
 * are so many that they have none: their keys tell their time, and each sweep lists them.
 */
import type { NewBatch } from '../domain/batch';
import type { ProjectId } from '../domain/ids';
import { isBatchId, madeAtMs } from '../domain/ids';
import { createAttemptKey, createAttemptsPrefix, createdBatchKey } from '../domain/object-keys';
import type { Agenda } from './agenda';
import { deleteBelow } from './delete-below';
import { getJson, putJson } from './json-object';
import type { ObjectStore } from './object-store';

/** A batch under a name of the client's. */
export interface CreatedBatch {
  /** Of the request, in hex: another one under the same name is a mistake. */
  readonly requestHash: string;
  readonly batch: NewBatch;
}

/** One attempt at a request, and its repeats so far. */
export interface CreateAttempt {
  readonly batch: NewBatch;
  /** Which repeat it was that came last; 0 for the attempt itself. */
  readonly repeat: number;
  /** When that came; Unix seconds. */
  readonly at: number;
  /** Tells two repeats apart that are otherwise the same. */
  readonly token: string;
}

/** Clients may rely on a name for a day. */
const nameSeconds = 86_400;
/** Longer than any client goes on with its repeats, from the first attempt on. */
const attemptSeconds = 3_600;
/** Attempts at one request that a repeat looks at, newest first. */
const attemptsMax = 100;

export class CreatedBatches {
  constructor(
    private readonly store: ObjectStore,
    private readonly agenda: Agenda,
  ) {}

  /** @param nameHex a hash of the name, in hex. */
  async get(projectId: ProjectId, nameHex: string): Promise<CreatedBatch | undefined> {
    return (await getJson<CreatedBatch>(this.store, createdBatchKey(projectId, nameHex)))?.value;
  }

  /** Fixes a batch under a name, unless there is one; returns the one that holds. */
  async fix(projectId: ProjectId, nameHex: string, proposed: CreatedBatch): Promise<CreatedBatch> {
    await this.remind(projectId, nameHex, proposed.batch.createdAt + nameSeconds);
    const key = createdBatchKey(projectId, nameHex);
    for (;;) {
      if ((await putJson(this.store, key, proposed, { ifAbsent: true })) !== undefined) {
        return proposed;
      }
      const fixed = await this.get(projectId, nameHex);
      if (fixed !== undefined) {
        return fixed;
      }
    }
  }

  /** Leaves an attempt for its repeats. */
  async leave(projectId: ProjectId, requestHash: string, attempt: CreateAttempt): Promise<void> {
    const key = createAttemptKey(projectId, requestHash, attempt.batch.id);
    await putJson(this.store, key, attempt);
  }

  /**
   * The batch of the newest attempt that a repeat may take over: one that was heard of since then,
   * and that no repeat with this number has taken. `undefined` when there is none.
   */
  async takeOver(
    projectId: ProjectId,
    requestHash: string,
    repeat: Omit<CreateAttempt, 'batch'> & { readonly since: number },
  ): Promise<NewBatch | undefined> {
    const { since, ...taken } = repeat;
    const prefix = createAttemptsPrefix(projectId, requestHash);
    const { items } = await this.store.list(prefix, { limit: attemptsMax });
    for (const { key } of items) {
      const stored = await getJson<CreateAttempt>(this.store, key);
      if (stored === undefined || stored.value.at < since || stored.value.repeat >= taken.repeat) {
        continue;
      }
      const { batch } = stored.value;
      const next: CreateAttempt = { batch, ...taken };
      if ((await putJson(this.store, key, next, { ifEtag: stored.etag })) !== undefined) {
        return batch;
      }
    }
    return undefined;
  }

  /** Removes what was fixed under a name, unless it was fixed again meanwhile. */
  async sweep(projectId: ProjectId, nameHex: string, nowSeconds: number): Promise<void> {
    const key = createdBatchKey(projectId, nameHex);
    const stored = await getJson<CreatedBatch>(this.store, key);
    if (stored === undefined) {
      return;
    }
    const keptUntil = stored.value.batch.createdAt + nameSeconds;
    if (keptUntil > nowSeconds) {
      await this.remind(projectId, nameHex, keptUntil);
    } else {
      await this.store.delete([key]);
    }
  }

  /** Removes the attempts of a project that nobody will repeat any more. */
  async sweepAttempts(projectId: ProjectId, nowSeconds: number): Promise<void> {
    await deleteBelow(this.store, createAttemptsPrefix(projectId), (key) => {
      const batchId = key.slice(key.lastIndexOf('-') + 1);
      return isBatchId(batchId) && madeAtMs(batchId) / 1000 + attemptSeconds <= nowSeconds;
    });
  }

  private async remind(projectId: ProjectId, nameHex: string, dueSeconds: number): Promise<void> {
    await this.agenda.put(dueSeconds, projectId, `create:${nameHex}`);
  }
}
