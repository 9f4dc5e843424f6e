/** What users of NetMind have: its examples with curl, and what they rely on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { chatLines, waitForEnd, type Batch, type ResultLine } from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';
import { curl, withJson, type CurlAnswer } from './support/curl';
import {
  clientOfProject,
  codesOf,
  commonChecks,
  create,
  endOfOne,
  fullCostOf,
  price,
  slowLines,
  someAnswers,
} from './support/provider-checks';
import { cellsOf } from './support/provider-table';

const started = useUpstreamStack({
  apiEnv: { LONGHAUL_PATH_PREFIXES: '/inference-api/openai/v1' },
  workerEnv: { LONGHAUL_CANCEL_GRACE_MS: '2000' },
  upstreamsFile: { currency: 'usd' },
  model: { price },
});

let folder: string;
let client: OpenAI;
let fileId: string;
let created: Batch;
let ended: Batch & { readonly longhaul_cost: object };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  client = await clientOfProject(started().stack, 'netmind', '/inference-api/openai/v1');
  const path = join(folder, 'batch.jsonl');
  writeFileSync(path, chatLines(3).join('\n'));
  const answer = await call('/files', '-F', 'purpose=batch', '-F', `file=@${path}`);
  fileId = (answer.json() as { id: string }).id;
  created = await createByCurl();
  await waitForEnd(client, created.id);
  ended = (await call(`/batches/${created.id}`)).json() as typeof ended;
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** As its examples do: the path that its clients have, and the key without "Bearer". */
async function call(path: string, ...args: readonly string[]): Promise<CurlAnswer> {
  const authorization = `Authorization: ${String(client.apiKey)}`;
  return await curl(`${client.baseURL}${path}`, '-H', authorization, ...args);
}

async function createByCurl(): Promise<Batch> {
  const body = {
    input_file_id: fileId,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { description: 'My batch job' },
  };
  const answer = await call('/batches', ...withJson(body));
  expect(answer.status).toBe(200);
  return answer.json() as Batch;
}

describe('NetMind', () => {
  const cells = cellsOf('NetMind');
  const { cell } = cells;

  it(`${cell('base path')}: /inference-api/openai/v1`, () => {
    expect(client.baseURL).toMatch(/\/inference-api\/openai\/v1$/);
    expect(created).toMatchObject({ object: 'batch', status: 'validating' });
  });

  it(`${cell('auth header')}: the key without Bearer`, async () => {
    expect((await call(`/batches/${created.id}`)).status).toBe(200);
    const other = ['-H', `Authorization: ${String(client.apiKey)}0`];
    expect((await curl(`${client.baseURL}/batches`, ...other)).status).toBe(401);
  });

  it(`${cell('create accepts')}: metadata`, () => {
    expect(created.metadata).toEqual({ description: 'My batch job' });
    expect(ended.metadata).toEqual({ description: 'My batch job' });
  });

  it(`${cell('told when done')}: by polling`, () => {
    expect(ended).toMatchObject({
      status: 'completed',
      request_counts: { total: 3, completed: 3, failed: 0 },
    });
  });

  it(`${cell('result line')}: OpenAI's`, async () => {
    const output = await call(`/files/${ended.output_file_id ?? ''}/content`);
    const lines = output.body.toString('utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as ResultLine)).toEqual(
      ['request-0', 'request-1', 'request-2'].map((customId) => ({
        id: expect.any(String),
        custom_id: customId,
        response: { status_code: 200, request_id: expect.any(String), body: expect.any(Object) },
        error: null,
      })),
    );
  });

  it(`${cell('price')}: half off`, () => {
    const amount: unknown = expect.closeTo(fullCostOf(ended) / 2, 6);
    expect(ended.longhaul_cost).toEqual({ currency: 'usd', amount });
  });

  it.each([
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/embeddings', { input: 'text' }],
  ] as const)(`${cell('endpoints')}: %s`, async (url, body) => {
    expect(await endOfOne(client, url, body)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 1 },
    });
  });

  it(`${cell('list')}: limit and after, by curl`, async () => {
    const [older, newer] = [await createByCurl(), await createByCurl()];
    const first = (await call('/batches?limit=1')).json() as { data: Batch[] };
    expect(first.data.map(({ id }) => id)).toEqual([newer.id]);
    const next = (await call(`/batches?limit=1&after=${newer.id}`)).json() as { data: Batch[] };
    expect(next.data.map(({ id }) => id)).toEqual([older.id]);
  });

  it(`${cell('cancel')}: requests in flight finish, then it is cancelled`, async () => {
    const { id } = await create(client, slowLines);
    await someAnswers(client, id);
    const answer = await call(`/batches/${id}/cancel`, '-X', 'POST');
    expect(answer.json()).toMatchObject({ status: 'cancelling' });
    const batch = await waitForEnd(client, id);
    const { output } = await checkedResults(client, batch, slowLines);
    expect(batch.status).toBe('cancelled');
    expect(output.length).toBeGreaterThan(5);
  });

  it(`${cell('line rules')}: unique custom_id, one model`, async () => {
    const [first = '', second = ''] = chatLines(2);
    expect(await codesOf(client, [first, first])).toEqual([['duplicate_custom_id', 2]]);
    const other = second.replace(demoModel, 'another-model');
    expect(await codesOf(client, [first, other])).toContainEqual(['mismatched_model', 2]);
  });

  it.each(commonChecks(cells, () => client))('$title', async ({ check }) => {
    await check();
  });

  it(`${cell('files')}: listed, read and deleted, by curl`, async () => {
    const listed = (await call('/files?purpose=batch')).json() as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id)).toContain(fileId);
    const content = await call(`/files/${fileId}/content`);
    expect(content.body.toString('utf8')).toBe(chatLines(3).join('\n'));
    const deleted = await call(`/files/${fileId}`, '-X', 'DELETE');
    expect(deleted.json()).toMatchObject({ deleted: true });
  });

  it('has a test of every cell', () => {
    expect(cells.untested()).toEqual([]);
  });
});
