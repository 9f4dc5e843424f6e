import fc from 'fast-check';
import {
  batchEvents,
  batchStatuses,
  isTerminal,
  newBatchRecord,
  noCounts,
  terminalStatuses,
  transition,
  type BatchEvent,
  type BatchRecord,
  type BatchResult,
  type BatchStatus,
  type EndReason,
} from '../../../src/domain/batch';
import { noUsage } from '../../../src/domain/usage';
import { aBatch, aFileId, aNewBatch } from '../../support/batches';
import { holds } from '../../support/holds';

const at = 1_700_000_100;
const errors = [{ code: 'empty_file', message: 'Empty.', param: null, line: null }];
const result: BatchResult = {
  outputFileId: aFileId(2),
  errorFileId: null,
  requestCounts: { total: 3, completed: 3, failed: 0 },
  usage: { ...noUsage, inputTokens: 5, totalTokens: 5 },
};

const endReasons = ['completed', 'cancelled', 'expired', 'failed'] as const;
/** Fails to compile when a reason is missing above. */
const everyReason: Readonly<Record<EndReason, true>> = {
  completed: true,
  cancelled: true,
  expired: true,
  failed: true,
};

/** Every event in every variant, by the name that the matrix gives it. */
const variants: Readonly<Record<string, BatchEvent>> = Object.fromEntries(
  batchEvents.flatMap((type): [string, BatchEvent][] => {
    switch (type) {
      case 'validation_passed':
        return [[type, { type, at, total: 3, model: 'small' }]];
      case 'validation_failed':
        return [[type, { type, at, errors }]];
      case 'end_decided':
        return endReasons.map((reason) => [`end ${reason}`, { type, end: { reason, at } }]);
      case 'finalized':
        return endReasons.map((reason) => [`finalized ${reason}`, { type, at, reason, result }]);
    }
  }),
);

/** What an event changes; null where it has no effect. */
type Effect = Partial<BatchRecord> | null;

const finalizedEffects: Readonly<Record<string, Effect>> = {
  'finalized completed': { status: 'completed', completedAt: at, ...result },
  'finalized cancelled': { status: 'cancelled', cancelledAt: at, ...result },
  'finalized expired': { status: 'expired', expiredAt: at, ...result },
  'finalized failed': { status: 'failed', failedAt: at, ...result },
};
const noEffects: Readonly<Record<string, Effect>> = Object.fromEntries(
  Object.keys(variants).map((name) => [name, null]),
);
const started: Effect = {
  status: 'in_progress',
  inProgressAt: at,
  model: 'small',
  requestCounts: { ...noCounts, total: 3 },
};
const ending: Effect = { status: 'finalizing', finalizingAt: at };
const cancelling: Effect = { status: 'cancelling', cancellingAt: at };

const matrix: Readonly<Record<string, Readonly<Record<string, Effect>>>> = {
  validating: {
    ...finalizedEffects,
    validation_passed: started,
    validation_failed: { status: 'failed', failedAt: at, errors },
    'end completed': null,
    'end cancelled': cancelling,
    'end expired': null,
    'end failed': null,
  },
  in_progress: {
    ...finalizedEffects,
    validation_passed: null,
    validation_failed: null,
    'end completed': ending,
    'end cancelled': cancelling,
    'end expired': ending,
    'end failed': ending,
  },
  finalizing: { ...noEffects, ...finalizedEffects },
  cancelling: { ...noEffects, ...finalizedEffects },
  failed: noEffects,
  completed: noEffects,
  expired: noEffects,
  cancelled: noEffects,
};

describe('the matrix of status and event', () => {
  const pairs = batchStatuses.flatMap((status) =>
    Object.keys(variants).map((name) => [status, name] as const),
  );

  it.each(pairs)('a batch that is %s meets: %s', (status, name) => {
    const before = aBatch({ status, revision: 7 });
    const effect = matrix[status]?.[name];
    const event = variants[name];
    if (effect === undefined || event === undefined) {
      throw new Error('the matrix has no entry for this pair');
    }
    const after = transition(before, event);
    expect(after).toEqual(effect === null ? before : { ...before, ...effect, revision: 8 });
    expect(after === before).toBe(effect === null);
  });

  it('knows every reason to end', () => {
    expect(Object.keys(everyReason)).toEqual([...endReasons]);
  });
});

describe('any sequence of events', () => {
  const timestamps = [
    'inProgressAt',
    'finalizingAt',
    'completedAt',
    'failedAt',
    'expiredAt',
    'cancellingAt',
    'cancelledAt',
  ] as const;
  const terminalTimestamps = ['completedAt', 'failedAt', 'expiredAt', 'cancelledAt'] as const;
  const rank: Readonly<Record<BatchStatus, number>> = {
    validating: 0,
    in_progress: 1,
    finalizing: 2,
    cancelling: 2,
    failed: 3,
    completed: 3,
    expired: 3,
    cancelled: 3,
  };

  const events = fc.array(
    fc
      .tuple(fc.constantFrom(...Object.values(variants)), fc.integer({ min: -1_000, max: 1_000 }))
      .map(([event, delay]): BatchEvent =>
        event.type === 'end_decided'
          ? { ...event, end: { ...event.end, at: at + delay } }
          : { ...event, at: at + delay },
      ),
    { maxLength: 12 },
  );

  function history(sequence: readonly BatchEvent[]): BatchRecord[] {
    const records = [newBatchRecord(aNewBatch())];
    for (const event of sequence) {
      records.push(transition(records.at(-1) ?? aBatch(), event));
    }
    return records;
  }

  function steps(sequence: readonly BatchEvent[]): [BatchRecord, BatchRecord][] {
    const records = history(sequence);
    return records.slice(1).map((after, index) => [records[index] ?? after, after]);
  }

  it('moves the status only forward, and never out of a terminal one', () => {
    holds(
      fc.property(events, (sequence) => {
        for (const [before, after] of steps(sequence)) {
          expect(rank[after.status]).toBeGreaterThanOrEqual(rank[before.status]);
          expect(isTerminal(before.status) && after !== before).toBe(false);
        }
      }),
    );
  });

  it('never changes a timestamp that is set', () => {
    holds(
      fc.property(events, (sequence) => {
        for (const [before, after] of steps(sequence)) {
          for (const name of timestamps) {
            expect(before[name] === null || before[name] === after[name]).toBe(true);
          }
        }
      }),
    );
  });

  it('keeps the timestamps in order, whatever the clocks say', () => {
    holds(
      fc.property(events, (sequence) => {
        const { createdAt, inProgressAt, finalizingAt, cancellingAt, ...last } =
          history(sequence).at(-1) ?? aBatch();
        const ended = terminalTimestamps.map((name) => last[name]);
        const set = [createdAt, inProgressAt, finalizingAt ?? cancellingAt, ...ended].filter(
          (time) => time !== null,
        );
        expect(set).toEqual([...set].sort((a, b) => a - b));
      }),
    );
  });

  it('sets one terminal timestamp when the batch is terminal, and none before', () => {
    holds(
      fc.property(events, (sequence) => {
        const last = history(sequence).at(-1) ?? aBatch();
        const set = terminalTimestamps.filter((name) => last[name] !== null);
        expect(set).toHaveLength(isTerminal(last.status) ? 1 : 0);
      }),
    );
  });

  it('has the same effect when every event comes twice', () => {
    holds(
      fc.property(events, (sequence) => {
        const twice = sequence.flatMap((event) => [event, event]);
        expect(history(twice).at(-1)).toEqual(history(sequence).at(-1));
      }),
    );
  });

  it('raises the revision by one with each change', () => {
    holds(
      fc.property(events, (sequence) => {
        for (const [before, after] of steps(sequence)) {
          expect(after.revision - before.revision).toBe(after === before ? 0 : 1);
        }
      }),
    );
  });
});

test('a new batch is validating and has nothing yet', () => {
  const batch = aNewBatch();
  const record = newBatchRecord(batch);
  expect(record).toMatchObject({ ...batch, status: 'validating', revision: 0 });
  expect(record).toMatchObject({ errors: null, usage: null, requestCounts: noCounts });
});

test('four statuses are terminal', () => {
  expect(batchStatuses.filter(isTerminal)).toEqual([...terminalStatuses]);
});
