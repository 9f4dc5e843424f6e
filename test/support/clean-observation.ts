/** What is seen of a seed that goes well, to be spoiled by the tests of the checkers. */
import { answeredLine, failedLine } from '../../activities/result-line';
import { makeInput, type PlannedLine } from '../../scripts/chaos/batch-input';
import type { BatchObservation, Observation, Poll } from '../../scripts/chaos/observation';
import type { BatchPlan, SeedPlan } from '../../scripts/chaos/plan';
import { plannedAnswer } from '../../scripts/chaos/planned-answer';
import type { FileObject } from 'openai/resources';
import type { Batch } from '../../scripts/local/batches';
import type { JournalEntry } from '../../scripts/simulator/journal';
import type { RequestId } from '../../src/domain/ids';
import { readAnswer } from '../../src/upstream/answer';

export const startedAt = 1_800_000_000_000;
const requestId: RequestId = `batch_req_${'0'.repeat(32)}`;
const plan: BatchPlan = {
  name: 'observed-0',
  startMs: 0,
  lineCount: 120,
  isInvalid: false,
  hasPoison: true,
  completionWindow: '24h',
  repeatsBy: 'key',
  actions: [],
};
const input = makeInput({ ...plan, model: 'some-model' });
const seedPlan: SeedPlan = { seed: 1, batches: [plan], upstream: [], disruptions: [] };

/** One worker is killed at the beginning; the batch completes after ten seconds. */
export function cleanObservation(): Observation {
  return {
    plan: seedPlan,
    startedAt,
    batches: [cleanBatch()],
    disruptions: [
      {
        target: 'worker-1',
        kind: 'kill',
        from: startedAt,
        to: startedAt + 1_000,
        wasKilled: false,
      },
    ],
    crashes: [],
    journal: cleanJournal(),
    apiFaults: [],
    leftovers: [],
  };
}

function cleanBatch(): BatchObservation {
  const output = input.lines.filter(({ fate }) => fate.kind === 'answered');
  const errors = input.lines.filter(({ fate }) => fate.kind !== 'answered');
  return {
    plan,
    input,
    polls: cleanPolls(output, errors.length),
    actions: [],
    listed: 1,
    output: resultFile(output.map(resultLine)),
    errors: resultFile(errors.map(resultLine)),
  };
}

export function resultFile(lines: readonly Buffer[]): BatchObservation['output'] & object {
  const content = Buffer.concat(lines);
  return {
    content,
    file: {
      id: 'file-1',
      object: 'file',
      bytes: content.length,
      created_at: 1_800_000_000,
      filename: 'results.jsonl',
      purpose: 'batch_output',
    } as FileObject,
  };
}

export function resultLine({ customIdText, body, fate }: PlannedLine): Buffer {
  const identity = {
    requestId,
    customId: Buffer.from(customIdText),
  };
  if (fate.kind === 'poisoned') {
    return failedLine(identity, { code: 'invalid_answer', message: 'No JSON.' });
  }
  const status = fate.kind === 'refused' ? fate.status : 200;
  const text = fate.kind === 'refused' ? '{"error":{}}' : plannedAnswer(body);
  const answer = readAnswer(status, Buffer.from(text));
  if (answer === undefined) {
    throw new Error('The simulated upstream answers with JSON.');
  }
  return Buffer.concat(answeredLine(identity, { status, upstreamRequestId: 'some-id', ...answer }));
}

/** Bytes of an unexecuted line, as after a cancel or an expiry. */
export function unexecutedLine({ customIdText }: PlannedLine, code: string): Buffer {
  return failedLine(
    { requestId, customId: Buffer.from(customIdText) },
    { code, message: 'Not executed.' },
  );
}

export function poll(afterMs: number, change: Partial<Batch>): Poll {
  const batch = {
    id: 'batch_1',
    object: 'batch',
    endpoint: '/v1/chat/completions',
    input_file_id: 'file-0',
    completion_window: '24h',
    status: 'in_progress',
    created_at: 1_800_000_000,
    expires_at: 1_800_086_400,
    ...change,
  } as Batch;
  return { at: startedAt + afterMs, batch };
}

/** The usage of a batch with these answers. */
export function usageOf(lines: readonly PlannedLine[]): Batch['usage'] & object {
  const usages = lines.map(({ body }) => {
    const { usage } = JSON.parse(plannedAnswer(body)) as {
      readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
    };
    return usage;
  });
  const input_tokens = usages.reduce((sum, usage) => sum + usage.prompt_tokens, 0);
  const output_tokens = usages.reduce((sum, usage) => sum + usage.completion_tokens, 0);
  return {
    input_tokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input_tokens + output_tokens,
  };
}

function cleanPolls(output: readonly PlannedLine[], failed: number): Poll[] {
  const completed = output.length;
  const total = completed + failed;
  const running = { in_progress_at: 1_800_000_001 };
  const ended = {
    ...running,
    status: 'completed',
    finalizing_at: 1_800_000_009,
    completed_at: 1_800_000_010,
    usage: usageOf(output),
  } as const;
  return [
    poll(100, { status: 'validating', request_counts: { total: 0, completed: 0, failed: 0 } }),
    poll(2_000, { ...running, request_counts: { total, completed: 40, failed: 1 } }),
    poll(5_000, { ...running, request_counts: { total, completed: 80, failed: 1 } }),
    poll(10_000, { ...ended, request_counts: { total, completed, failed } }),
  ];
}

/** Each line is sent and answered once, a tenth of a second after the one before. */
function cleanJournal(): JournalEntry[] {
  return input.lines.flatMap(({ hash, fate }, index): JournalEntry[] => {
    const at = startedAt + index * 70;
    const request = { kind: 'request', at, hash } as const;
    const status = fate.kind === 'refused' ? fate.status : 200;
    return fate.kind === 'poisoned'
      ? [request]
      : [request, { kind: 'answer', at: at + 20, hash, status }];
  });
}
