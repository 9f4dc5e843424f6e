import type { BatchId } from '../domain/ids';

/** Somebody of a batch who has something to be served, sometimes. */
export interface Member<T> {
  readonly batchId: BatchId;
  /** Different from that of every other member; of those of one batch, the lowest goes first. */
  readonly rank: number;
  readonly isEmpty: boolean;
  /** The next to be served; `undefined` when there is none or it has to wait. */
  take(): T | undefined;
}

/**
 * Serves batches in turn, so that a small batch is not stuck behind a large one however many slices
 * that has; and the members of a batch one before the other. Slices that got on at the same pace
 * would all be sealed at the same moment, while nothing is sent; and each would commit every second
 * what little it has. Holds only members that are not empty.
 */
export class FairQueue<T> {
  /** The order of the map is the order of turns. */
  private readonly batches = new Map<BatchId, Member<T>[]>();

  get isEmpty(): boolean {
    return this.batches.size === 0;
  }

  /** Has to be told whenever a member gets something to be served; may be told again. */
  enter(member: Member<T>): void {
    const members = this.batches.get(member.batchId);
    if (members === undefined) {
      this.batches.set(member.batchId, [member]);
    } else if (!members.includes(member)) {
      const later = members.findIndex(({ rank }) => rank > member.rank);
      members.splice(later === -1 ? members.length : later, 0, member);
    }
  }

  take(): T | undefined {
    let turns = this.batches.size;
    for (const [batchId, members] of this.batches) {
      if (turns-- === 0) {
        return undefined;
      }
      const taken = takeFirst(members);
      if (members.length === 0) {
        this.batches.delete(batchId);
      } else if (this.batches.size > 1) {
        this.batches.delete(batchId);
        this.batches.set(batchId, members);
      }
      if (taken !== undefined) {
        return taken;
      }
    }
    return undefined;
  }
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
