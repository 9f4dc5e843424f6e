import {
  defaultProjectId,
  makeBatchId,
  type BatchId,
  type ProjectId,
} from '../../../src/domain/ids';
import { FairQueue, type Member } from '../../../src/upstream/fair-queue';
import { batchA, batchB } from './support';

const batchC = makeBatchId(3_000, 'c'.repeat(20));

class List implements Member<string> {
  isHeld = false;

  constructor(
    readonly batchId: BatchId,
    private readonly items: string[],
    readonly rank = 0,
    readonly projectId: ProjectId = defaultProjectId,
  ) {}

  add(item: string): void {
    this.items.push(item);
  }

  get isEmpty(): boolean {
    return this.items.length === 0;
  }

  take(): string | undefined {
    return this.isHeld ? undefined : this.items.shift();
  }
}

function takeAll(queue: FairQueue<string>): string[] {
  const taken: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) {
    taken.push(item);
  }
  return taken;
}

describe('a fair queue', () => {
  it('serves batches in turn, and the members of each one before the other', () => {
    const queue = new FairQueue<string>();
    queue.enter(new List(batchA, ['A1', 'A2'], 2));
    queue.enter(new List(batchA, ['a1', 'a2', 'a3'], 1));
    queue.enter(new List(batchB, ['b1', 'b2'], 3));
    expect(takeAll(queue)).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'A1', 'A2']);
    expect(queue.isEmpty).toBe(true);
  });

  it('serves projects in turn, however many batches one has', () => {
    const queue = new FairQueue<string>();
    const other = 'other' as ProjectId;
    queue.enter(new List(batchA, ['a1', 'a2', 'a3']));
    queue.enter(new List(batchB, ['b1', 'b2']));
    queue.enter(new List(batchC, ['c1', 'c2', 'c3'], 0, other));
    expect(takeAll(queue)).toEqual(['a1', 'c1', 'b1', 'c2', 'a2', 'c3', 'b2', 'a3']);
    expect(queue.isEmpty).toBe(true);
  });

  it('gives a member that was empty its place again', () => {
    const queue = new FairQueue<string>();
    const first = new List(batchA, ['a1'], 1);
    queue.enter(first);
    queue.enter(new List(batchA, ['A1', 'A2'], 2));
    expect([queue.take(), queue.take()]).toEqual(['a1', 'A1']);
    first.add('a2');
    queue.enter(first);
    expect(takeAll(queue)).toEqual(['a2', 'A2']);
  });

  it('gives a member one place, however often it enters', () => {
    const queue = new FairQueue<string>();
    const often = new List(batchA, ['a1']);
    queue.enter(often);
    queue.enter(often);
    queue.enter(new List(batchB, ['b1']));
    expect(takeAll(queue)).toEqual(['a1', 'b1']);
    expect(queue.isEmpty).toBe(true);
  });

  it('passes over members that have to wait, and keeps them', () => {
    const queue = new FairQueue<string>();
    const held = new List(batchA, ['a1'], 1);
    held.isHeld = true;
    queue.enter(held);
    queue.enter(new List(batchA, ['A1'], 2));
    queue.enter(new List(batchB, ['b1', 'b2'], 3));
    expect(takeAll(queue)).toEqual(['A1', 'b1', 'b2']);
    expect(queue.isEmpty).toBe(false);
    held.isHeld = false;
    expect(takeAll(queue)).toEqual(['a1']);
    expect(queue.isEmpty).toBe(true);
  });
});
