/** What users of Nebius have: their documented client code, and what it relies on. */
import OpenAI from 'openai';
import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import {
  batchLinesMax,
  fileBytesMax,
  filesMaxDefault,
  openBatchesMaxDefault,
} from '../../src/domain/limits';
import { useUpstreamStack } from '../support/upstream-stack';
import { admin } from '../support/admin-program';
import {
  clientOfProject,
  codesOf,
  commonChecks,
  create,
  fullCostOf,
  price,
  runningChecks,
  slowLines,
  someAnswers,
} from './support/provider-checks';
import { cellsOf } from './support/provider-table';
import { runPythonProgram } from './support/python';

const started = useUpstreamStack({
  apiEnv: { LONGHAUL_RESULT_FORM: 'bare', LONGHAUL_COMPLETION_WINDOWS: '24h,3s' },
  upstreamsFile: { currency: 'usd' },
  model: { price },
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
  const cells = cellsOf('Nebius');
  const { cell } = cells;

  it(`${cell('base path')}: /v1/ with its final slash`, () => {
    expect(seen.base_url).toMatch(/\/v1\/$/);
  });

  it(`${cell('base path')}: a client that doubles the slash is answered too`, async () => {
    const { stack } = started();
    const answer = await fetch(`${stack.baseUrl}//models`, {
      headers: { authorization: `Bearer ${stack.apiKey}` },
    });
    expect(answer.status).toBe(200);
  });

  it(`${cell('create accepts')}: metadata`, () => {
    expect(seen.batch.metadata).toEqual({ description: 'My batch job' });
  });

  it(`${cell('told when done')}: by polling`, () => {
    expect(seen.batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 3, completed: 3, failed: 0 },
    });
  });

  it(`${cell('result line')}: response is the completion itself`, () => {
    expect(seen.contents).toHaveLength(3);
    expect(seen.contents.every((content) => content.length > 0)).toBe(true);
  });

  it(`${cell('list')}: as its documented code reads it`, async () => {
    const { id } = seen.batch;
    expect(seen.listed).toMatchObject({ object: 'list', first_id: id, last_id: id });
    expect(seen.listed).toHaveProperty('has_more');
    expect((await client.batches.list({ after: id, limit: 2 })).data).toEqual([]);
  });

  it(`${cell('files')}: as its documented code uses them`, () => {
    expect(seen.files).toContain(seen.file);
    expect(seen.files).toContain(seen.batch.output_file_id);
    expect(seen.deleted).toBe(true);
  });

  it(`${cell('price')}: half off`, () => {
    const { usage } = seen.batch;
    expect(seen.batch.longhaul_cost).toEqual({
      currency: 'usd',
      amount: expect.closeTo(fullCostOf(seen.batch) / 2, 6),
    });
    expect(usage?.total_tokens).toBe(seen.usage.reduce((sum, tokens) => sum + tokens, 0));
  });

  it(`${cell('endpoints')}: embeddings, with the bare list of vectors in each line`, async () => {
    const line = {
      custom_id: 'a',
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: demoModel, input: ['one', 'two'] },
    };
    const { id } = await create(client, [JSON.stringify(line)], '/v1/embeddings');
    const batch = await waitForEnd(client, id);
    const output = await client.files.content(batch.output_file_id ?? '');
    const result = JSON.parse(await output.text()) as { response: { data: unknown[] } };
    expect(result.response.data).toHaveLength(2);
  });

  it(`${cell('line rules')}: one model per file`, async () => {
    const lines = chatLines(2);
    const other = (lines[1] ?? '').replace(demoModel, 'another-model');
    expect(await codesOf(client, [lines[0] ?? '', other])).toContainEqual(['mismatched_model', 2]);
  });

  it(`${cell('cancel')}: answers cancelling with the counts so far`, async () => {
    const { id } = await create(client, slowLines);
    const running = await someAnswers(client, id);
    const cancelling = await client.batches.cancel(id);
    expect(cancelling.status).toBe('cancelling');
    expect(cancelling.request_counts?.total).toBe(slowLines.length);
    expect(cancelling.request_counts?.completed).toBeGreaterThanOrEqual(
      running.request_counts?.completed ?? NaN,
    );
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  it.each([
    [`${cell('requests per file')}: 5,000,000 by default`, batchLinesMax, 5_000_000],
    [`${cell('file size')}: 10 GiB by default`, fileBytesMax, 10 * 2 ** 30],
    [`${cell('files and batches')}: 500 files by default`, filesMaxDefault, 500],
    [`${cell('files and batches')}: 500 unfinished batches by default`, openBatchesMaxDefault, 500],
  ])('%s', (_title, ours, theirs) => {
    expect(ours).toBe(theirs);
  });

  it(`${cell('files and batches')}: one file too many is refused, and results never count`, async () => {
    const { stack } = started();
    await admin(stack, ['projects', 'set', 'small', '--files', '2']);
    const small = await clientOfProject(stack, 'small', '/v1');
    const { id } = await waitForEnd(small, (await createBatch(small, chatLines(1))).id);
    await createBatch(small, chatLines(1));
    await expect(createBatch(small, chatLines(1))).rejects.toMatchObject({
      status: 400,
      code: 'file_limit_exceeded',
    });
    await expect(client.batches.retrieve(id)).rejects.toThrow(OpenAI.NotFoundError);
    expect((await small.files.list({ purpose: 'batch_output' })).data.length).toBeGreaterThan(0);
  });
  it.each([...commonChecks(cells, () => client), ...runningChecks(cells, () => client)])(
    '$title',
    async ({ check }) => {
      await check();
    },
  );

  it('has a test of every cell', () => {
    expect(cells.untested()).toEqual([]);
  });
});
