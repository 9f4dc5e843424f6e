import { check, checkers, type CheckerName } from '../../../scripts/chaos/checkers';
import { repeatsOf } from '../../../scripts/chaos/checkers/requests';
import type { PlannedLine } from '../../../scripts/chaos/batch-input';
import type { BatchObservation, Observation } from '../../../scripts/chaos/observation';
import {
  cleanObservation,
  poll,
  resultFile,
  resultLine,
  startedAt,
  unexecutedLine,
  usageOf,
} from '../../support/clean-observation';

const clean = cleanObservation();
const [batch] = clean.batches as [BatchObservation];
const { lines } = batch.input;
const completed = lines.filter(({ fate }) => fate.kind === 'answered');
const failed = lines.filter(({ fate }) => fate.kind !== 'answered');
const [first, second] = completed as [PlannedLine, PlannedLine];
const [firstFailed] = failed as [PlannedLine];
const outputLines = completed.map(resultLine);
const counts = { total: lines.length, completed: completed.length, failed: failed.length };

/** The clean observation with something else in its batch. */
function withBatch(change: Partial<BatchObservation>): Observation {
  return { ...clean, batches: [{ ...batch, ...change }] };
}

function withOutput(content: readonly Buffer[]): Observation {
  return withBatch({ output: resultFile(content) });
}

function withPolls(...polls: BatchObservation['polls']): Observation {
  return withBatch({ polls: [...batch.polls.slice(0, 3), ...polls] });
}

/** What the batch becomes when its last poll says something else. */
function endingAs(change: Parameters<typeof poll>[1]): Observation {
  const last = batch.polls.at(-1)?.batch;
  return withPolls(poll(10_000, { ...last, ...change }));
}

function replaced(line: Buffer, from: string, to: string): Buffer {
  return Buffer.from(line.toString('utf8').replace(from, to));
}

/** The same text in JSON, every character of it escaped. */
function escaped(text: string): string {
  const units = text.split('').map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`;
}

function omitOutput({ output, ...rest }: BatchObservation): BatchObservation {
  expect(output).toBeDefined();
  return rest;
}

const firstLine = resultLine(first);
const withoutOutput = omitOutput(batch);
const noCounts = { total: 0, completed: 0, failed: 0 };
const others = outputLines.slice(1);
const later = startedAt + 60_000;
const isRunning = { in_progress_at: 1_800_000_001 };

const frozen = clean.disruptions.map((one) => ({ ...one, kind: 'freeze' as const }));

/** For every checker, what it has to find. */
const spoiled: Readonly<Record<CheckerName, Readonly<Record<string, Observation>>>> = {
  'ends-by-itself': { 'a batch in progress': endingAs({ status: 'in_progress' }) },
  'right-end': {
    'a batch that nobody cancelled': endingAs({ status: 'cancelled' }),
    'a batch that expired before its time': endingAs({ status: 'expired' }),
    'a valid input that failed': endingAs({ status: 'failed' }),
    'a cancel that was accepted and did not hold': withBatch({
      actions: [{ kind: 'cancel', at: startedAt, outcome: 'cancelling' }],
    }),
  },
  'exactly-once': {
    'a lost line': withOutput(others),
    'a doubled line': withOutput([firstLine, ...outputLines]),
    'a line in both files': withBatch({
      errors: resultFile([firstLine, ...failed.map(resultLine)]),
    }),
    'no line at all': {
      ...clean,
      batches: [
        {
          ...withoutOutput,
          errors: resultFile([]),
          polls: [poll(9_000, { ...isRunning, status: 'completed', request_counts: noCounts })],
        },
      ],
    },
    'a line of another batch': withOutput([
      ...outputLines,
      replaced(firstLine, first.customIdText, '"of another batch"'),
    ]),
    'a file that is not there': { ...clean, batches: [withoutOutput] },
  },
  'lines-well-formed': {
    'a cut line': withOutput([...others, firstLine.subarray(0, -10)]),
    'a line broken in two': withOutput([replaced(firstLine, ',"response"', '\n,"response"')]),
    'a line with more in it': withOutput([
      replaced(firstLine, '"error":null', '"error":null,"x":1'),
    ]),
    'an answer that is no JSON': withOutput([replaced(firstLine, '"body":{', '"body":{oops')]),
  },
  'right-file': {
    'a refused line in the output': withOutput([...outputLines, resultLine(firstFailed)]),
    'a good line in the errors': withBatch({ errors: resultFile([firstLine]) }),
    'a line given up in a batch that went on': withBatch({
      errors: resultFile([unexecutedLine(first, 'batch_cancelled')]),
    }),
    'a good line that failed': withBatch({
      errors: resultFile([unexecutedLine(first, 'upstream_unavailable')]),
    }),
  },
  'bytes-exact': {
    'an answer printed anew': withOutput([replaced(firstLine, '"object":', '"object": ')]),
    'the answer to another request': withOutput([
      replaced(resultLine(second), second.customIdText, first.customIdText),
    ]),
    'a custom ID in another spelling': withOutput([
      replaced(firstLine, first.customIdText, escaped(first.customId)),
    ]),
  },
  'input-order': { 'two lines in another order': withOutput([resultLine(second), firstLine]) },
  'counts-match-files': {
    'a line too many': endingAs({ request_counts: { ...counts, completed: 1 } }),
    'another total': endingAs({ request_counts: { ...counts, total: 1 } }),
  },
  'usage-adds-up': {
    'tokens that nobody used': endingAs({
      usage: usageOf([...completed, first]),
    }),
  },
  'file-objects': {
    'another size': withBatch({
      output: { ...resultFile(outputLines), content: Buffer.concat(others) },
    }),
    'another purpose': withBatch({
      output: {
        ...resultFile(outputLines),
        file: { ...resultFile(outputLines).file, purpose: 'batch' },
      },
    }),
    'an empty file': withOutput([]),
  },
  'bad-lines-reported': {
    'a bad line that is not named': withBatch({
      input: { ...batch.input, badLineNumbers: [7] },
      polls: [poll(1_000, { status: 'failed', errors: { data: [{ line: 6 }] } })],
    }),
  },
  'status-moves-forward': {
    'back to validating': withPolls(poll(6_000, { status: 'validating' })),
    'from one end to another': withPolls(
      poll(6_000, { status: 'completed' }),
      poll(7_000, { status: 'expired' }),
    ),
    'from finalizing to cancelled': withPolls(
      poll(6_000, { status: 'finalizing' }),
      poll(7_000, { status: 'cancelled' }),
    ),
  },
  'timestamps-stay': {
    'another time': withPolls(poll(6_000, { in_progress_at: 1_800_000_002 })),
    'a time that is gone': withPolls(poll(6_000, {})),
    'another input file': withPolls(poll(6_000, { ...isRunning, input_file_id: 'file-9' })),
  },
  'timestamps-ordered': {
    'an end without its time': endingAs({ completed_at: null as unknown as number }),
    'two ends': endingAs({ expired_at: 1_800_000_011 }),
    'an end before the beginning': endingAs({ finalizing_at: 1_700_000_000 }),
  },
  'counts-add-up': {
    'more lines than there are': withPolls(
      poll(6_000, { request_counts: { ...counts, failed: counts.total } }),
    ),
    'a total of none after the validation': withPolls(
      poll(6_000, { ...isRunning, request_counts: noCounts }),
    ),
    'a total of another file': withPolls(poll(6_000, { request_counts: { ...counts, total: 7 } })),
    'fewer lines than none': withPolls(
      poll(6_000, { request_counts: { total: 0, completed: -1, failed: 0 } }),
    ),
  },
  'counts-never-go-down': {
    'lines lost though nothing was killed': {
      ...withPolls(poll(6_000, { request_counts: { ...counts, completed: 79 } })),
      disruptions: [],
    },
    'lines lost after a kill, which leaves nobody to commit': withPolls(
      poll(6_000, { request_counts: { ...counts, completed: 79 } }),
    ),
    'more lines lost than a flush has': {
      ...withPolls(poll(6_000, { request_counts: { ...counts, completed: 1 } })),
      disruptions: frozen,
    },
  },
  'finished-lines-survive': {
    'completed lines that are gone at the end': endingAs({
      status: 'cancelled',
      request_counts: { ...counts, completed: 10 },
    }),
  },
  'created-once': {
    'two batches of one create': withBatch({ listed: 2 }),
    'a batch that is not listed': withBatch({ listed: 0 }),
  },
  'bodies-arrive-intact': {
    'a request that nobody made': {
      ...clean,
      journal: [{ kind: 'request', at: startedAt, hash: 'other' }],
    },
  },
  'executed-lines-arrived': { 'answers out of nowhere': { ...clean, journal: [] } },
  'invalid-batches-send-nothing': { 'a failed batch that ran': endingAs({ status: 'failed' }) },
  'repeats-explained': {
    'an answered request sent again': {
      ...clean,
      journal: [...clean.journal, { kind: 'request', at: later, hash: first.hash }],
      disruptions: [],
    },
    'a repeat after a restart, which hands over what it has': {
      ...clean,
      journal: [...clean.journal, { kind: 'request', at: later, hash: first.hash }],
      disruptions: clean.disruptions.map((one) => ({ ...one, kind: 'restart' as const })),
    },
    'a repeat of what was answered after a kill': {
      ...clean,
      journal: [
        ...clean.journal,
        { kind: 'request', at: later, hash: lines.at(-1)?.hash ?? '' },
        { kind: 'answer', at: startedAt + 9_000, hash: lines.at(-1)?.hash ?? '', status: 200 },
        { kind: 'request', at: startedAt + 9_500, hash: lines.at(-1)?.hash ?? '' },
      ],
    },
    'a repeat long after a kill': {
      ...clean,
      journal: [
        ...clean.journal,
        { kind: 'request', at: later, hash: first.hash },
        { kind: 'answer', at: later, hash: first.hash, status: 200 },
        { kind: 'request', at: later + 1, hash: first.hash },
      ],
    },
  },
  'attempts-bounded': {
    'a request sent again and again': {
      ...clean,
      journal: Array.from({ length: 100 }, () => ({
        kind: 'request' as const,
        at: startedAt,
        hash: first.hash,
      })),
    },
  },
  'quiet-after-cancel': {
    'a new request long after a cancel': {
      ...withBatch({
        actions: [{ kind: 'cancel', at: startedAt + 1_000, outcome: 'cancelling' }],
      }),
      disruptions: [],
    },
  },
  'quiet-after-end': {
    'a request of a batch that has ended': {
      ...clean,
      journal: [...clean.journal, { kind: 'request', at: later, hash: first.hash }],
    },
  },
  'nothing-left-behind': {
    'a ledger': { ...clean, leftovers: [{ key: 'some/key', why: 'some reason' }] },
  },
  'api-not-at-fault': { 'an internal error': { ...clean, apiFaults: ['poll: 500'] } },
  'no-crashes': {
    'an API that crashed': {
      ...clean,
      crashes: [{ target: 'api', at: startedAt, how: 'ended with exit code 1' }],
    },
    'a worker that crashed while Temporal was well': {
      ...clean,
      crashes: [{ target: 'worker-1', at: startedAt, how: 'ended with exit code 1' }],
    },
  },
  'ends-when-told': {
    'a process that had to be killed': {
      ...clean,
      disruptions: [
        { target: 'api', kind: 'restart', from: startedAt, to: later, wasKilled: true },
      ],
    },
  },
};

it('finds nothing wrong with a seed that went well', () => {
  expect(check(clean)).toEqual([]);
});

describe.each(Object.entries(spoiled))('%s', (name, cases) => {
  it.each(Object.entries(cases))('finds %s', (_, seen) => {
    expect(checkers[name as CheckerName](seen)).not.toEqual([]);
  });
});

it('does not mind requests sent again after what a kill has cost', () => {
  const again = { kind: 'request', at: startedAt + 12_000, hash: lines[0]?.hash ?? '' } as const;
  const seen = { ...clean, journal: [...clean.journal, again] };
  expect(repeatsOf(seen)).toEqual([{ answeredAt: startedAt + 20, againAt: startedAt + 12_000 }]);
  expect(checkers['repeats-explained'](seen)).toEqual([]);
});

it('does not mind counts that lose a flush after a worker stood still', () => {
  const seen = {
    ...withPolls(
      poll(6_000, { ...isRunning, request_counts: { ...counts, completed: 70 } }),
      ...batch.polls.slice(-1),
    ),
    disruptions: frozen,
  };
  expect(check(seen)).toEqual([]);
});

it('lets lines of a cancelled batch be given up', () => {
  const [lost, ...kept] = completed as [PlannedLine, ...PlannedLine[]];
  const last = batch.polls.at(-1)?.batch;
  const seen = {
    ...withBatch({
      plan: { ...batch.plan, actions: [{ kind: 'cancel', from: 'answers', afterMs: 0 }] },
      actions: [{ kind: 'cancel', at: startedAt, outcome: 'cancelling' }],
      output: resultFile(kept.map(resultLine)),
      errors: resultFile(
        lines
          .filter((line) => line === lost || line.fate.kind !== 'answered')
          .map((line) =>
            line === lost ? unexecutedLine(line, 'batch_cancelled') : resultLine(line),
          ),
      ),
      polls: [
        ...batch.polls.slice(0, 3),
        poll(10_000, {
          ...last,
          status: 'cancelled',
          finalizing_at: null as unknown as number,
          completed_at: null as unknown as number,
          cancelling_at: 1_800_000_006,
          cancelled_at: 1_800_000_010,
          request_counts: { ...counts, completed: kept.length },
          usage: usageOf(kept),
        }),
      ],
    }),
  };
  expect(check(seen)).toEqual([]);
});
