import {
  batchStatuses,
  isTerminal,
  transition,
  type BatchEvent,
  type BatchStatus,
} from '../../src/domain/batch';
import { aBatch, startedAt as at } from '../support/batches';
import { markdownTables, repositoryText } from '../support/repository';

const result = {
  outputFileId: null,
  errorFileId: null,
  requestCounts: { total: 0, completed: 0, failed: 0 },
  usage: null,
};

/** The events that a column of the table stands for. */
const columns: Readonly<Record<string, readonly BatchEvent[]>> = {
  validation_passed: [{ type: 'validation_passed', at, total: 1, model: 'm' }],
  validation_failed: [{ type: 'validation_failed', at, errors: [] }],
  'end: completed': [{ type: 'end_decided', end: { reason: 'completed', at } }],
  'end: cancelled': [{ type: 'end_decided', end: { reason: 'cancelled', at } }],
  'end: expired': [{ type: 'end_decided', end: { reason: 'expired', at } }],
  'end: failed': [{ type: 'end_decided', end: { reason: 'failed', at } }],
  finalized: (['completed', 'cancelled', 'expired', 'failed'] as const).map((reason) => ({
    type: 'finalized',
    at,
    reason,
    result,
  })),
};

/** What the table should say of a status and a column. */
function cellOf(status: BatchStatus, events: readonly BatchEvent[]): string {
  const nexts = events.map((event) => transition(aBatch({ status }), event).status);
  const [first = status] = nexts;
  if (nexts.every((next) => next === status)) {
    return '—';
  }
  const reasons = events.map((event) => (event.type === 'finalized' ? event.reason : undefined));
  return nexts.every((next, index) => next === reasons[index]) ? 'as the end says' : first;
}

const [header, ...rows] =
  markdownTables(repositoryText('docs/batch-lifecycle.md'), 'status').find(
    ([first]) => first?.[1] === 'validation_passed',
  ) ?? [];

test('the documented table has a row for each status and a column for each event', () => {
  expect(header).toEqual(['status', ...Object.keys(columns)]);
  expect(rows.map(([status]) => status).sort()).toEqual([...batchStatuses].sort());
});

test.each(batchStatuses)('the documented row of %s is what the code does', (status) => {
  const expected = Object.values(columns).map((events) => cellOf(status, events));
  expect(rows.find(([first]) => first === status)).toEqual([status, ...expected]);
});

test('no documented event leads out of a terminal status', () => {
  const terminal = rows.filter(([status]) => isTerminal(status as BatchStatus));
  expect(terminal).toHaveLength(4);
  expect(new Set(terminal.flatMap(([, ...cells]) => cells))).toEqual(new Set(['—']));
});
