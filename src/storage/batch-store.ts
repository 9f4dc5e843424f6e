/** Batch records, ends, plans and progress, on the object store. */
import type { BatchEnd, BatchEvent, BatchRecord, NewBatch } from '../domain/batch';
import { isTerminal, newBatchRecord, transition } from '../domain/batch';
import type { BatchId, ProjectId } from '../domain/ids';
import { isBatchId, madeAtMs } from '../domain/ids';
import { batchKeys, batchesPrefix, openBatchesPrefixOf, openBatchKey } from '../domain/object-keys';
import type { ShardPlan } from '../domain/shard-plan';
import { addUsage, noUsage, type Usage } from '../domain/usage';
import type { BatchRef, ShardCounts } from '../domain/workflow-contract';
import { decodeChecked, encodeChecked } from './checked-json';
import { getJson, putJson, type StoredJson } from './json-object';
import { listIds } from './list-ids';
import type { ListPage, ObjectStore } from './object-store';
import { SharedCalls } from './shared-calls';

/** Content of the marker of a batch that is not terminal. */
export interface OpenBatchMarker {
  /** As the client wrote it. */
  readonly inputFileId: string;
  /** Kept here for a workflow that has to write the record: its input, a history, has no secrets. */
  readonly webhookUrl?: string;
  /** Until when the batch counts without a record, in Unix milliseconds; 0: its create was refused. */
  readonly startingUntilMs?: number;
}

/** An attempt at creating a batch, as its marker knows it. */
export interface StartingBatch {
  /** Whether there was no marker before. */
  readonly isFirst: boolean;
  /** Of the marker; absent when another attempt at the same batch may be under way. */
  readonly etag?: string;
}

const readsInParallel = 16;
/** A create takes seconds, also when the engine does not answer. */
const creatingMsMax = 60_000;

/** Content of a progress object: per shard index, the epoch and what its segments hold. */
export type Progress = Readonly<Record<string, ProgressEntry>>;

/** Epoch, completed, failed, and the tokens of these answers. */
type ProgressEntry = readonly [number, number, number, Usage?];

/** What of a running batch is done. */
export interface LiveProgress {
  readonly counts: ShardCounts;
  readonly usage: Usage;
}

export class BatchStore {
  /** Of the records that were read or written here. */
  private readonly etags = new WeakMap<BatchRecord, string>();
  private readonly openLists = new SharedCalls<ProjectId, BatchRef[]>();

  constructor(private readonly store: ObjectStore) {}

  /**
   * Puts the marker of a batch that is not terminal, unless it is there. It names the input file, so
   * that whoever finds the marker of a batch that never came to be can release the file.
   */
  async markOpen(batch: NewBatch): Promise<void> {
    const key = openBatchKey(batch.projectId, batch.id);
    await putJson(this.store, key, markerOf(batch), { ifAbsent: true });
  }

  /** The same for an attempt at creating it, before its workflow starts: from now on it counts. */
  async markStarting(batch: NewBatch, nowMs: number): Promise<StartingBatch> {
    const key = openBatchKey(batch.projectId, batch.id);
    const marker = { ...markerOf(batch), startingUntilMs: nowMs + creatingMsMax };
    let stored: StoredJson<OpenBatchMarker> | undefined;
    for (;;) {
      const isFirst = stored === undefined;
      const condition =
        stored === undefined ? ({ ifAbsent: true } as const) : { ifEtag: stored.etag };
      const put = await putJson(this.store, key, marker, condition);
      if (put !== undefined) {
        const isAlone = stored === undefined || !isStarting(stored.value, batch.id, nowMs);
        return { isFirst, ...(isAlone && { etag: put.etag }) };
      }
      stored = await getJson<OpenBatchMarker>(this.store, key);
    }
  }

  /** The attempt was refused: the batch counts no more, unless another attempt may be under way. */
  async markRefused(batch: NewBatch, { etag }: StartingBatch): Promise<void> {
    if (etag !== undefined) {
      const marker = { ...markerOf(batch), startingUntilMs: 0 };
      const key = openBatchKey(batch.projectId, batch.id);
      await putJson(this.store, key, marker, { ifEtag: etag });
    }
  }

  async getMarker({ projectId, batchId }: BatchRef): Promise<OpenBatchMarker | undefined> {
    return (await getJson<OpenBatchMarker>(this.store, openBatchKey(projectId, batchId)))?.value;
  }

  /**
   * The project's batches that have a marker by now, oldest first. Calls that wait while a list is
   * under way share the next one: hundreds of batches that are created at once would otherwise list
   * each other.
   */
  async listOpen(projectId: ProjectId): Promise<BatchRef[]> {
    return await this.openLists.next(projectId, async () => await this.listMarked(projectId));
  }

  private async listMarked(projectId: ProjectId): Promise<BatchRef[]> {
    const prefix = openBatchesPrefixOf(projectId);
    const { items } = await this.store.list(prefix, { limit: Number.MAX_SAFE_INTEGER });
    return items
      .map(({ key }) => key.slice(prefix.length))
      .filter(isBatchId)
      .map((batchId) => ({ projectId, batchId }))
      .reverse();
  }

  /** Writes the record of a new batch, unless it has one already. */
  async create(batch: NewBatch): Promise<void> {
    const key = batchKeys(batch.projectId, batch.id).record;
    await putJson(this.store, key, newBatchRecord(batch), { ifAbsent: true });
  }

  async get(ref: BatchRef): Promise<BatchRecord | undefined> {
    const stored = await getJson<BatchRecord>(this.store, keysOf(ref).record);
    if (stored !== undefined) {
      this.etags.set(stored.value, stored.etag);
    }
    return stored?.value;
  }

  /**
   * Applies an event, or some one after the other, by compare-and-swap until they are in the record
   * or have no effect on it.
   *
   * @param known the record as `get` or `apply` returned it: it is read only if it has changed since.
   * @returns the record as it then is; `undefined` when there is none.
   */
  async apply(
    ref: BatchRef,
    event: BatchEvent | readonly BatchEvent[],
    known?: BatchRecord,
  ): Promise<BatchRecord | undefined> {
    const events = [event].flat();
    return (known && (await this.swap(known, events))) ?? (await this.readAndApply(ref, events));
  }

  private async readAndApply(
    ref: BatchRef,
    events: readonly BatchEvent[],
  ): Promise<BatchRecord | undefined> {
    for (;;) {
      const record = await this.get(ref);
      if (record === undefined || events.reduce(transition, record) === record) {
        return record;
      }
      const applied = await this.swap(record, events);
      if (applied !== undefined) {
        return applied;
      }
    }
  }

  /** `undefined` when the event has no effect on this record, or that is not the record any more. */
  private async swap(
    record: BatchRecord,
    events: readonly BatchEvent[],
  ): Promise<BatchRecord | undefined> {
    const ifEtag = this.etags.get(record);
    const next = events.reduce(transition, record);
    if (ifEtag === undefined || next === record) {
      return undefined;
    }
    const { record: key } = batchKeys(record.projectId, record.id);
    const put = await putJson(this.store, key, next, { ifEtag });
    if (put === undefined) {
      return undefined;
    }
    this.etags.set(next, put.etag);
    return next;
  }

  /** One that is damaged counts as a cancel: it has ended the batch, and answers are kept. */
  async getEnd(ref: BatchRef): Promise<BatchEnd | undefined> {
    const key = keysOf(ref).end;
    const stored = await this.store.get(key);
    const cancelled = {
      reason: 'cancelled',
      at: Math.floor(madeAtMs(ref.batchId) / 1000),
    } as const;
    return stored && (decodeChecked<BatchEnd>(key, stored.bytes, isEnd) ?? cancelled);
  }

  /** Decides how a batch ends, unless that is decided; returns what holds. */
  async decideEnd(ref: BatchRef, proposed: BatchEnd): Promise<BatchEnd> {
    for (;;) {
      const key = keysOf(ref).end;
      const won = await this.store.put(key, encodeChecked(key, proposed), { ifAbsent: true });
      if (won !== undefined) {
        return proposed;
      }
      const decided = await this.getEnd(ref);
      if (decided !== undefined) {
        return decided;
      }
    }
  }

  async putPlan(ref: BatchRef, plan: ShardPlan): Promise<void> {
    const key = keysOf(ref).plan;
    await this.store.put(key, encodeChecked(key, plan));
  }

  /** `undefined` also when the plan is not what was written. */
  async getPlan(ref: BatchRef): Promise<ShardPlan | undefined> {
    const key = keysOf(ref).plan;
    const stored = await this.store.get(key);
    return stored && decodeChecked<ShardPlan>(key, stored.bytes, isPlan);
  }

  async getProgress(ref: BatchRef, processName: string): Promise<Progress> {
    return await this.readProgress(keysOf(ref).progress(processName));
  }

  async putProgress(ref: BatchRef, processName: string, progress: Progress): Promise<void> {
    await putJson(this.store, keysOf(ref).progress(processName), progress);
  }

  /** Of every shard, what its highest epoch reports. */
  async liveProgress(ref: BatchRef): Promise<LiveProgress> {
    // Every process that ever ran a shard has left one: restarts make them many.
    const limit = Number.MAX_SAFE_INTEGER;
    const { items } = await this.store.list(keysOf(ref).progressPrefix, { limit });
    const newest = new Map<string, ProgressEntry>();
    for (let from = 0; from < items.length; from += readsInParallel) {
      const some = items.slice(from, from + readsInParallel);
      const objects = await Promise.all(some.map(async ({ key }) => await this.readProgress(key)));
      for (const [shard, entry] of objects.flatMap((progress) => Object.entries(progress))) {
        if (entry[0] >= (newest.get(shard)?.[0] ?? 0)) {
          newest.set(shard, entry);
        }
      }
    }
    return [...newest.values()].reduce<LiveProgress>(
      ({ counts, usage }, [, completed, failed, used = noUsage]) => ({
        counts: { completed: counts.completed + completed, failed: counts.failed + failed },
        usage: addUsage(usage, used),
      }),
      { counts: { completed: 0, failed: 0 }, usage: noUsage },
    );
  }

  /** What of a damaged object can be read: counts are a view, and about to be written again. */
  private async readProgress(key: string): Promise<Progress> {
    try {
      const progress = (await getJson<object>(this.store, key))?.value ?? {};
      return Object.fromEntries(
        Object.entries(progress).filter(
          (entry): entry is [string, ProgressEntry] =>
            Array.isArray(entry[1]) && entry[1].slice(0, 3).every(Number.isSafeInteger),
        ),
      );
    } catch (error) {
      if (error instanceof SyntaxError) {
        return {};
      }
      throw error;
    }
  }

  /**
   * Those of some batches with a marker that have not ended, with their records; `undefined` for one
   * that is just being created. A marker may outlive the end of its batch for a moment, and one
   * whose batch never came to be stays until it is swept: neither counts. Once there are `enough`, the
   * rest is not looked at.
   */
  async unfinished(
    refs: readonly BatchRef[],
    nowMs: number,
    enough = Infinity,
  ): Promise<(BatchRecord | undefined)[]> {
    const unfinished: (BatchRecord | undefined)[] = [];
    for (let from = 0; from < refs.length && unfinished.length < enough; from += readsInParallel) {
      const some = refs.slice(from, from + readsInParallel);
      const read = some.map(async (ref) => {
        const record = await this.get(ref);
        const counts =
          record === undefined ? await this.isStarting(ref, nowMs) : !isTerminal(record.status);
        return { record, counts };
      });
      for (const { record, counts } of await Promise.all(read)) {
        if (counts) {
          unfinished.push(record);
        }
      }
    }
    return unfinished;
  }

  private async isStarting(ref: BatchRef, nowMs: number): Promise<boolean> {
    const marker = await this.getMarker(ref);
    return marker !== undefined && isStarting(marker, ref.batchId, nowMs);
  }

  /** Removes the marker of a batch that has become terminal. */
  async close(ref: BatchRef): Promise<void> {
    await this.store.delete([openBatchKey(ref.projectId, ref.batchId)]);
  }

  /** Ids of a project's batches, newest first. */
  async list(
    projectId: ProjectId,
    options: { readonly after?: BatchId; readonly limit: number },
  ): Promise<ListPage<BatchId>> {
    return await listIds(this.store, batchesPrefix(projectId), isBatchId, options);
  }
}

function markerOf({ inputFileId, webhookUrl }: NewBatch): OpenBatchMarker {
  return { inputFileId, ...(webhookUrl !== undefined && { webhookUrl }) };
}

/** A create may be repeated long after the batch got its id. */
function isStarting(
  { startingUntilMs }: OpenBatchMarker,
  batchId: BatchId,
  nowMs: number,
): boolean {
  return nowMs < (startingUntilMs ?? madeAtMs(batchId) + creatingMsMax);
}

/** Of versions that wrote no checksums. */
function isPlan(value: Partial<ShardPlan>): boolean {
  return Object.keys(value).join() === 'total,model,shards' && Array.isArray(value.shards);
}

function isEnd(value: Partial<BatchEnd>): boolean {
  return Object.keys(value).join() === 'reason,at' && Number.isSafeInteger(value.at);
}

function keysOf(ref: BatchRef): ReturnType<typeof batchKeys> {
  return batchKeys(ref.projectId, ref.batchId);
}
