import type { BatchId, ProjectId } from '../domain/ids';

/** Somebody of a batch who has something to be served, sometimes. */
export interface Member<T> {
  readonly projectId: ProjectId;
  readonly batchId: BatchId;
  /** Different from that of every other member; of those of one batch, the lowest goes first. */
  readonly rank: number;
  readonly isEmpty: boolean;
  /** The next to be served; `undefined` when there is none or it has to wait. */
  take(): T | undefined;
}

type Batches<T> = Map<BatchId, Member<T>[]>;

/**
 * Serves projects in turn, and the batches of each in turn, so that a small batch is not stuck behind
 * a large one however many slices that has, nor a project behind one that has many batches; and the
 * members of a batch one before the other. Slices that got on at the same pace would all be sealed at
 * the same moment, while nothing is sent; and each would commit every second what little it has.
 * Holds only members that are not empty.
 */
export class FairQueue<T> {
  /** The order of these maps is the order of turns. */
  private readonly projects = new Map<ProjectId, Batches<T>>();

  get isEmpty(): boolean {
    return this.projects.size === 0;
  }

  /** Has to be told whenever a member gets something to be served; may be told again. */
  enter(member: Member<T>): void {
    const batches = this.projects.get(member.projectId) ?? new Map<BatchId, Member<T>[]>();
    this.projects.set(member.projectId, batches);
    const members = batches.get(member.batchId);
    if (members === undefined) {
      batches.set(member.batchId, [member]);
    } else if (!members.includes(member)) {
      const later = members.findIndex(({ rank }) => rank > member.rank);
      members.splice(later === -1 ? members.length : later, 0, member);
    }
  }

  take(): T | undefined {
    return takeInTurn(this.projects, takeOfBatches, hasNoBatch);
  }
}

/** From the first one that has something to be served; its next turn comes after the others'. */
function takeInTurn<K, V, T>(
  all: Map<K, V>,
  takeFrom: (one: V) => T | undefined,
  isEmpty: (one: V) => boolean,
): T | undefined {
  let turns = all.size;
  for (const [key, one] of all) {
    if (turns-- === 0) {
      return undefined;
    }
    const taken = takeFrom(one);
    if (isEmpty(one)) {
      all.delete(key);
    } else if (all.size > 1) {
      all.delete(key);
      all.set(key, one);
    }
    if (taken !== undefined) {
      return taken;
    }
  }
  return undefined;
}

function takeOfBatches<T>(batches: Batches<T>): T | undefined {
  return takeInTurn(batches, takeFirst, hasNoMember);
}

function hasNoBatch<T>(batches: Batches<T>): boolean {
  return batches.size === 0;
}

function hasNoMember<T>(members: readonly Member<T>[]): boolean {
  return members.length === 0;
}

function takeFirst<T>(members: Member<T>[]): T | undefined {
  let at = 0;
  for (let member = members[at]; member !== undefined; member = members[at]) {
    const taken = member.take();
    if (member.isEmpty) {
      members.splice(at, 1);
    } else {
      at += 1;
    }
    if (taken !== undefined) {
      return taken;
    }
  }
  return undefined;
}
