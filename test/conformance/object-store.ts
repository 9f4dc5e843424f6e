/** What every implementation of the object store promises (src/storage/object-store.ts). */
import type { ObjectStore } from '../../src/storage/object-store';
import { describeConcatenation } from './suites/concatenation';
import { describeLists } from './suites/lists';
import { describeReads } from './suites/reads';
import { describeStreams } from './suites/streams';
import { describeWrites } from './suites/writes';

/** @param makeStore called once, before the first test. */
export function describeObjectStore(name: string, makeStore: () => Promise<ObjectStore>): void {
  describe(`object store: ${name}`, () => {
    const subject = new MadeStore();

    beforeAll(async () => {
      subject.made = await makeStore();
    });

    beforeEach(() => {
      subject.caseNumber += 1;
    });

    describeWrites(subject);
    describeReads(subject);
    describeStreams(subject);
    describeConcatenation(subject);
    describeLists(subject);
  });
}

class MadeStore {
  made: ObjectStore | undefined;
  caseNumber = 0;

  get store(): ObjectStore {
    if (this.made === undefined) {
      throw new Error('The store is made before the first test');
    }
    return this.made;
  }

  get prefix(): string {
    return `case-${this.caseNumber}/`;
  }
}
