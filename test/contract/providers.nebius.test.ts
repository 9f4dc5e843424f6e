/** What users of Nebius have: their documented client code, and what it relies on. */
import OpenAI, { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import {
  batchLinesMax,
  fileBytesMax,
  filesMaxDefault,
  openBatchesMaxDefault,
} from '../../src/domain/limits';
import { useUpstreamStack } from '../support/upstream-stack';
import { admin } from './support/admin';
import { runPythonProgram } from './support/python';

const started = useUpstreamStack({
  apiEnv: { LONGHAUL_RESULT_FORM: 'bare' },
  upstreamsFile: { currency: 'usd' },
  model: { price: { input_per_million: 1_000, output_per_million: 2_000 } },
});

interface Seen {
  readonly base_url: string;
  readonly created: OpenAI.Batch;
  readonly batch: OpenAI.Batch & { readonly longhaul_cost: object };
  readonly listed: object;
  readonly contents: readonly string[];
  readonly usage: readonly number[];
  readonly file: string;
  readonly files: readonly string[];
  readonly deleted: boolean;
}

let client: OpenAI;
let seen: Seen;
beforeAll(async () => {
  const { stack } = started();
  client = clientOf(stack);
  seen = (await runPythonProgram('nebius.py', {
    LONGHAUL_TEST_BASE_URL: `${stack.baseUrl}/`,
    LONGHAUL_TEST_API_KEY: stack.apiKey,
    LONGHAUL_TEST_MODEL: demoModel,
  })) as Seen;
});

describe('Nebius', () => {
  it('base path: /v1/ with its final slash', () => {
    expect(seen.base_url).toMatch(/\/v1\/$/);
  });

  it('base path: a client that doubles the slash is answered too', async () => {
    const { stack } = started();
    const answer = await fetch(`${stack.baseUrl}//models`, {
      headers: { authorization: `Bearer ${stack.apiKey}` },
    });
    expect(answer.status).toBe(200);
  });

  it('first status: validating', () => {
    expect(seen.created).toMatchObject({ status: 'validating', completion_window: '24h' });
  });

  it('create accepts metadata', () => {
    expect(seen.batch.metadata).toEqual({ description: 'My batch job' });
  });

  it('told when done: by polling', () => {
    expect(seen.batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 3, completed: 3, failed: 0 },
    });
  });

  it('result line: response is the completion itself', () => {
    expect(seen.contents).toHaveLength(3);
    expect(seen.contents.every((content) => content.length > 0)).toBe(true);
  });

  it('list: limit, after, first_id, last_id and has_more', async () => {
    const { id } = seen.batch;
    expect(seen.listed).toMatchObject({ object: 'list', first_id: id, last_id: id });
    expect(seen.listed).toHaveProperty('has_more');
    expect((await client.batches.list({ after: id, limit: 2 })).data).toEqual([]);
  });

  it('files: created, listed, read and deleted', () => {
    expect(seen.files).toContain(seen.file);
    expect(seen.files).toContain(seen.batch.output_file_id);
    expect(seen.deleted).toBe(true);
  });

  it('price: half off', () => {
    const { usage } = seen.batch;
    const full = ((usage?.input_tokens ?? 0) * 1_000 + (usage?.output_tokens ?? 0) * 2_000) / 1e6;
    expect(seen.batch.longhaul_cost).toEqual({
      currency: 'usd',
      amount: expect.closeTo(full / 2, 6),
    });
    expect(usage?.total_tokens).toBe(seen.usage.reduce((sum, tokens) => sum + tokens, 0));
  });

  it('endpoints: embeddings, with the bare list of vectors in each line', async () => {
    const line = {
      custom_id: 'a',
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: demoModel, input: ['one', 'two'] },
    };
    const file = await toFile(Buffer.from(JSON.stringify(line)), 'in.jsonl');
    const { id } = await client.batches.create({
      input_file_id: (await client.files.create({ file, purpose: 'batch' })).id,
      endpoint: '/v1/embeddings',
      completion_window: '24h',
    });
    const batch = await waitForEnd(client, id);
    const output = await client.files.content(batch.output_file_id ?? '');
    const result = JSON.parse(await output.text()) as { response: { data: unknown[] } };
    expect(result.response.data).toHaveLength(2);
  });

  it('line rules: one model per file', async () => {
    const lines = chatLines(2);
    const other = (lines[1] ?? '').replace(demoModel, 'another-model');
    const { id } = await createBatch(client, [lines[0] ?? '', other]);
    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('failed');
    expect(batch.errors?.data?.map(({ code, line }) => [code, line])).toContainEqual([
      'mismatched_model',
      2,
    ]);
  });

  it('cancel: answers cancelling with the counts so far', async () => {
    const lines = chatLines(300, (index) => (index < 5 ? 'Hi' : `[[slow:1000]] ${index}`));
    const { id } = await createBatch(client, lines);
    const running = await pollBatch(client, id, {
      what: 'five answers',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 5,
    });
    const cancelling = await client.batches.cancel(id);
    expect(cancelling.status).toBe('cancelling');
    expect(cancelling.request_counts?.total).toBe(300);
    expect(cancelling.request_counts?.completed).toBeGreaterThanOrEqual(
      running.request_counts?.completed ?? NaN,
    );
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  it('requests per file, file size, files and batches: its limits are the defaults', () => {
    expect([batchLinesMax, fileBytesMax]).toEqual([5_000_000, 10 * 2 ** 30]);
    expect([filesMaxDefault, openBatchesMaxDefault]).toEqual([500, 500]);
  });

  it('files: one too many is refused, and results never count', async () => {
    const { stack } = started();
    await admin(stack, ['projects', 'set', 'small', '--files', '2']);
    const printed = await admin(stack, ['keys', 'create', '--project', 'small']);
    const apiKey = /sk-longhaul-\S+/.exec(printed)?.[0] ?? '';
    const small = clientOf({ baseUrl: stack.baseUrl, apiKey });
    const { id } = await waitForEnd(small, (await createBatch(small, chatLines(1))).id);
    await createBatch(small, chatLines(1));
    await expect(createBatch(small, chatLines(1))).rejects.toMatchObject({
      status: 400,
      code: 'file_limit_exceeded',
    });
    await expect(client.batches.retrieve(id)).rejects.toThrow(OpenAI.NotFoundError);
    expect((await small.files.list({ purpose: 'batch_output' })).data.length).toBeGreaterThan(0);
  });
});
