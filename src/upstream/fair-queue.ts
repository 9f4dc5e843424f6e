import type { BatchId } from '../domain/ids';

/** Somebody of a batch who has something to be served, sometimes. */
export interface Member<T> {
  readonly batchId: BatchId;
  readonly isEmpty: boolean;
  /** The next to be served; `undefined` when there is none or it has to wait. */
  take(): T | undefined;
}

/**
 * Serves batches in turn, and the members of a batch in turn, so that a small batch is not stuck
 * behind a large one however many slices that has. Holds only members that are not empty.
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
      members.push(member);
    }
  }

  take(): T | undefined {
    let turns = this.batches.size;
    for (const [batchId, members] of this.batches) {
      if (turns-- === 0) {
        return undefined;
      }
      this.batches.delete(batchId);
      const taken = takeInTurn(members);
      if (members.length > 0) {
        this.batches.set(batchId, members);
      }
      if (taken !== undefined) {
        return taken;
      }
    }
    return undefined;
  }
}

function takeInTurn<T>(members: Member<T>[]): T | undefined {
  for (let turns = members.length; turns > 0; turns--) {
    const member = members.shift();
    const taken = member?.take();
    if (member !== undefined && !member.isEmpty) {
      members.push(member);
    }
    if (taken !== undefined) {
      return taken;
    }
  }
  return undefined;
}
