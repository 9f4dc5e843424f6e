/** Each form that a result line can have, byte by byte as a client downloads it. */
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
  type ResultLine,
} from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { checkedResults, type Results } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

const started = useUpstreamStack({
  apiEnv: { LONGHAUL_COMPLETION_WINDOWS: '24h,3s' },
  workerEnv: { LONGHAUL_OUTAGE_PATIENCE_MS: '1000', LONGHAUL_CANCEL_GRACE_MS: '100' },
});
let client: OpenAI;
beforeAll(() => {
  client = clientOf(started().stack);
});

/** Nothing before, between or after the four members. */
const lineText =
  /^\{"id":"batch_req_[0-9a-z]{32}","custom_id":"[^"]+","response":(null|\{.*\}),"error":(null|\{"code":"\w+","message":"[^"]+"\})\}$/;

async function textOf(fileId: string | null | undefined): Promise<string> {
  return typeof fileId === 'string' ? await (await client.files.content(fileId)).text() : '';
}

/** Waits for the end and checks what always holds; returns every line by its custom ID. */
async function linesOf(
  batchId: string,
  lines: readonly string[],
): Promise<{ readonly batch: Batch; readonly results: Results }> {
  const batch = await waitForEnd(client, batchId);
  const results = await checkedResults(client, batch, lines);
  expect(results.output.length + results.errors.length).toBe(lines.length);
  for (const fileId of [batch.output_file_id, batch.error_file_id]) {
    const text = await textOf(fileId);
    expect(text === '' || text.endsWith('}\n')).toBe(true);
    const other = text.split('\n').filter((line) => line !== '' && !lineText.test(line));
    expect(other).toEqual([]);
  }
  return { batch, results };
}

/** A running batch of which some lines are answered, and most are not for long. */
async function createSlow(completionWindow?: string): Promise<{ id: string; lines: string[] }> {
  const lines = chatLines(100, (index) => (index % 10 === 0 ? 'Hi' : `[[slow:2000]] ${index}`));
  const { id } = await createBatch(client, lines, {
    ...(completionWindow !== undefined && { completionWindow }),
  });
  await pollBatch(client, id, {
    what: 'a first answer',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
  return { id, lines };
}

describe('a batch that completes', () => {
  /** Of the first lines; a server that is wholly down would be waited for. */
  const contents = ['Hi', '[[fail:400]]', '[[fail:422]]', '[[reset]]', '[[garbage]]'];
  let batch: Batch;
  let byId: Map<string, ResultLine>;
  beforeAll(async () => {
    const lines = chatLines(40, (index) => contents[index] ?? `Line ${index}`);
    const ended = await linesOf((await createBatch(client, lines)).id, lines);
    ({ batch } = ended);
    const all = [...ended.results.output, ...ended.results.errors];
    byId = new Map(all.map((line) => [line.custom_id, line]));
  }, 300_000);

  it('has the whole answer of a request that was answered', () => {
    expect(batch.status).toBe('completed');
    expect(byId.get('request-0')).toEqual({
      id: expect.any(String),
      custom_id: 'request-0',
      response: {
        status_code: 200,
        request_id: expect.stringMatching(/\S/),
        body: expect.objectContaining({ object: 'chat.completion', model: demoModel }),
      },
      error: null,
    });
  });

  it.each([
    ['request-1', 400],
    ['request-2', 422],
  ])('has the reason of the inference server in the body of %s', (customId, status) => {
    expect(byId.get(customId)).toMatchObject({
      response: { status_code: status, body: { error: { message: expect.any(String) } } },
      error: null,
    });
  });

  it.each([
    ['request-3', 'upstream_unavailable'],
    ['request-4', 'invalid_answer'],
  ])('has no response for %s, but an error', (customId, code) => {
    const { response, error } = byId.get(customId) ?? {};
    expect([response, error]).toEqual([null, { code, message: expect.any(String) }]);
  });

  it('counts all that were sent', () => {
    expect(batch.request_counts).toEqual({ total: 40, completed: 36, failed: 4 });
  });
});

test('a batch that is cancelled says which requests were not executed, and counts none of them', async () => {
  const { id, lines } = await createSlow();
  await client.batches.cancel(id);
  const { batch, results } = await linesOf(id, lines);
  expect(batch.status).toBe('cancelled');
  expect(results.output.length).toBeGreaterThan(0);
  const notExecuted = results.errors.filter(({ error }) => error?.code === 'batch_cancelled');
  expect(notExecuted.length).toBeGreaterThan(0);
  expect(notExecuted.every(({ response }) => response === null)).toBe(true);
  expect(new Set(notExecuted.map(({ error }) => error?.message))).toEqual(
    new Set(['This request was not executed because the batch was cancelled.']),
  );
});

test('a batch that expires keeps what is done, and says the same of the rest', async () => {
  const { id, lines } = await createSlow('3s');
  const { batch, results } = await linesOf(id, lines);
  expect(batch.status).toBe('expired');
  expect(results.output.length).toBeGreaterThan(0);
  const notExecuted = results.errors.filter(({ error }) => error?.code === 'batch_expired');
  expect(new Set(notExecuted.map(({ error }) => error?.message))).toEqual(
    new Set(['This request could not be executed before the completion window expired.']),
  );
});

test('a batch whose every line has failed is completed without an output file', async () => {
  const lines = chatLines(5, () => '[[fail:422]]');
  const { batch } = await linesOf((await createBatch(client, lines)).id, lines);
  expect(batch).toMatchObject({
    status: 'completed',
    output_file_id: null,
    error_file_id: expect.stringMatching(/^file-/),
    request_counts: { total: 5, completed: 0, failed: 5 },
  });
});
