/**
 * What clients see and may do in every status, whatever `end` says: all pairs of the two, and what
 * the wire contract has for each, written down here once more.
 */
import type OpenAI from 'openai';
import {
  batchStatuses,
  type BatchEvent,
  type BatchStatus,
  type EndReason,
} from '../../../src/domain/batch';
import type { BatchRef } from '../../../src/domain/workflow-contract';
import { errorOf, send, startApi, type Answer, type ApiUnderTest } from './api-under-test';
import { aBatch, createdAt, ends, finalized, invalid, passed } from './batch-events';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(async () => {
  await api.close();
});

/** How a record gets to each status. */
const paths: Readonly<Record<BatchStatus, readonly BatchEvent[]>> = {
  validating: [],
  in_progress: [passed],
  finalizing: [passed, ends('completed')],
  cancelling: [passed, ends('cancelled')],
  completed: [passed, ends('completed'), finalized('completed')],
  cancelled: [passed, ends('cancelled'), finalized('cancelled')],
  expired: [passed, ends('expired'), finalized('expired')],
  failed: [invalid],
};

const decisions = ['nothing', 'completed', 'cancelled', 'expired', 'failed'] as const;
type Decision = 'nothing' | EndReason;
type Row = Readonly<Record<Decision, string>>;

const always = (text: string): Row => ({
  nothing: text,
  completed: text,
  cancelled: text,
  expired: text,
  failed: text,
});

/** The status that is shown. */
const shown: Readonly<Record<BatchStatus, Row>> = {
  validating: { ...always('validating'), cancelled: 'cancelling' },
  in_progress: {
    nothing: 'in_progress',
    completed: 'finalizing',
    cancelled: 'cancelling',
    expired: 'finalizing',
    failed: 'finalizing',
  },
  finalizing: always('finalizing'),
  cancelling: always('cancelling'),
  completed: always('completed'),
  cancelled: always('cancelled'),
  expired: always('expired'),
  failed: always('failed'),
};

/** What a cancel answers: 200 with the status, or 409 because of it. */
const cancels: Readonly<Record<BatchStatus, Row>> = {
  validating: {
    nothing: '200 cancelling',
    completed: '409 completed',
    cancelled: '200 cancelling',
    expired: '409 expired',
    failed: '409 failed',
  },
  in_progress: {
    nothing: '200 cancelling',
    completed: '409 finalizing',
    cancelled: '200 cancelling',
    expired: '409 finalizing',
    failed: '409 finalizing',
  },
  finalizing: always('409 finalizing'),
  cancelling: {
    nothing: '200 cancelling',
    completed: '409 completed',
    cancelled: '200 cancelling',
    expired: '409 expired',
    failed: '409 failed',
  },
  completed: always('409 completed'),
  cancelled: always('200 cancelled'),
  expired: always('409 expired'),
  failed: always('409 failed'),
};

const pairs = batchStatuses.flatMap((status) =>
  decisions.map((decision): [BatchStatus, Decision] => [status, decision]),
);

async function aBatchThatIs(status: BatchStatus, decision: Decision): Promise<BatchRef> {
  const ref = await aBatch(api);
  for (const event of paths[status]) {
    await api.batches.apply(ref, event);
  }
  if (decision !== 'nothing') {
    await api.batches.decideEnd(ref, { reason: decision, at: createdAt + 3 });
  }
  expect((await api.batches.get(ref))?.status).toBe(status);
  return ref;
}

const terminalTimes = ['completed_at', 'failed_at', 'expired_at', 'cancelled_at'] as const;

/** What holds of every batch that is shown. */
function expectConsistent(batch: OpenAI.Batch): void {
  const times = terminalTimes.filter((name) => (batch[name] ?? null) !== null);
  const isTerminal = ['completed', 'failed', 'expired', 'cancelled'].includes(batch.status);
  expect(times).toEqual(isTerminal ? [`${batch.status}_at`] : []);
  if (batch.status !== 'validating') {
    expect(batch).toHaveProperty(`${batch.status}_at`, expect.any(Number));
  }
  expect(batch.expires_at).toBe(batch.created_at + 86_400);
  if (!isTerminal) {
    expect([batch.output_file_id, batch.error_file_id]).toEqual([null, null]);
  }
  expect((batch.errors ?? null) === null).toBe(batch.status !== 'failed');
  const { total = 0, completed = 0, failed = 0 } = batch.request_counts ?? {};
  expect(completed + failed).toBeLessThanOrEqual(total);
}

test.each(pairs)('a batch that is %s, with %s decided, is shown so', async (status, decision) => {
  const { batchId } = await aBatchThatIs(status, decision);
  const batch = await api.client.batches.retrieve(batchId);
  expect(batch.status).toBe(shown[status][decision]);
  expectConsistent(batch);
  expect((await api.client.batches.list({ limit: 1 })).data).toEqual([batch]);
});

/** What a cancel has answered, in the words of the table. */
function told(answer: Answer): string {
  if (answer.status === 200) {
    return `200 ${(answer.json() as OpenAI.Batch).status}`;
  }
  const { message, ...rest } = errorOf(answer);
  expect(rest).toEqual({ type: 'invalid_request_error', param: null, code: null });
  expect(answer.headers['x-should-retry']).toBe('false');
  const [, status] = /^Cannot cancel a batch with status '(\w+)'\.$/.exec(message) ?? [];
  return `${answer.status} ${status ?? message}`;
}

test.each(pairs)('a cancel of one that is %s, with %s decided', async (status, decision) => {
  const { batchId } = await aBatchThatIs(status, decision);
  const path = `/v1/batches/${batchId}/cancel`;
  const answer = await send(api.url, { method: 'POST', path });
  expect(told(answer)).toBe(cancels[status][decision]);
  const again = await send(api.url, { method: 'POST', path });
  expect([again.status, again.text]).toEqual([answer.status, answer.text]);
});
