/**
 * Result lines in the form bare, lines that name several models, and what a batch cost, through the
 * whole system. The form that OpenAI has is in `upstream-faults.test.ts` and `early-end.test.ts`.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { stringify } from 'yaml';
import { clientOf, createBatch, waitForEnd, type Batch } from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { startSimulatedUpstream, type SimulatedUpstream } from '../../scripts/simulated-upstream';

const models = ['small', 'large'];
const price = { input_per_million: 1_000, output_per_million: 2_000 };

let stateDir: string;
let upstreams: SimulatedUpstream[];
let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  upstreams = await Promise.all(
    models.map(async (model) => await startSimulatedUpstream({ models: [model], latencyMs: 5 })),
  );
  const entries = upstreams.map(({ baseUrl }, index) => ({
    name: `gpu-${index}`,
    base_url: baseUrl,
    request_timeout_seconds: 2,
    max_in_flight: 16,
    models: [{ name: models[index], price }],
  }));
  const path = join(stateDir, 'upstreams.yaml');
  writeFileSync(path, stringify({ currency: 'eur', batch_discount: 0.25, upstreams: entries }));
  stack = await startStack({
    stateDir: join(stateDir, 'stack'),
    upstream: { kind: 'file', path },
    apiEnv: { LONGHAUL_RESULT_FORM: 'bare', LONGHAUL_COMPLETION_WINDOWS: '24h,5s' },
    workerEnv: { LONGHAUL_MIXED_MODELS: 'allow', LONGHAUL_OUTAGE_PATIENCE_MS: '2000' },
  });
  client = clientOf(stack);
}, 120_000);

afterAll(async () => {
  await stack.stop();
  await Promise.all(
    upstreams.map(async (upstream) => {
      await upstream.close();
    }),
  );
  rmSync(stateDir, { recursive: true, force: true });
}, 60_000);

function lineOf(index: number, model: string, content: string): string {
  const body = { model, messages: [{ role: 'user', content }] };
  const method = 'POST';
  return JSON.stringify({ custom_id: `r-${index}`, method, url: '/v1/chat/completions', body });
}

interface BareLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: { readonly object?: string; readonly model?: string } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

async function linesOf(fileId: string | null | undefined): Promise<BareLine[]> {
  const text = await (await client.files.content(fileId ?? '')).text();
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BareLine);
}

async function run(contents: readonly string[], completionWindow = '24h'): Promise<Batch> {
  const lines = contents.map((content, index) => lineOf(index, 'small', content));
  const { id } = await createBatch(client, lines, { completionWindow });
  return await waitForEnd(client, id);
}

describe('in the form bare', () => {
  it('an answer is the response itself; failures have their reason in error', async () => {
    const batch = await run(['Hello', '[[fail:422]]', '[[hang]]', 'Goodbye']);
    expect(batch).toMatchObject({
      status: 'completed',
      model: 'small',
      request_counts: { total: 4, completed: 2, failed: 2 },
    });
    const output = await linesOf(batch.output_file_id);
    expect(output.map((line) => line.custom_id)).toEqual(['r-0', 'r-3']);
    for (const line of output) {
      expect(Object.keys(line)).toEqual(['id', 'custom_id', 'response', 'error']);
      expect(line.id).toMatch(/^batch_req_/);
      expect(line.response).toMatchObject({ object: 'chat.completion', choices: [{ index: 0 }] });
      expect(line.error).toBeNull();
    }
    expect(await linesOf(batch.error_file_id)).toMatchObject([
      {
        custom_id: 'r-1',
        response: { error: { message: expect.any(String) } },
        error: { code: 'http_422', message: expect.stringContaining('status 422') },
      },
      { custom_id: 'r-2', response: null, error: { code: 'request_timeout' } },
    ]);
  });

  it('requests that never ran say why', async () => {
    const contents = ['Hello', ...Array.from({ length: 200 }, () => '[[slow:9000]]')];
    const batch = await run(contents, '5s');
    expect(batch.status).toBe('expired');
    expect(await linesOf(batch.output_file_id)).toMatchObject([{ custom_id: 'r-0', error: null }]);
    const errors = await linesOf(batch.error_file_id);
    expect(errors).toHaveLength(200);
    expect(errors.at(-1)).toMatchObject({ response: null, error: { code: 'batch_expired' } });
  });
});

describe('a batch that has ended', () => {
  it('tells what it cost, by its usage', async () => {
    const batch = await run(['one', 'two', 'three']);
    const { input_tokens: input = 0, output_tokens: output = 0 } = batch.usage ?? {};
    expect(output).toBeGreaterThan(0);
    const amount = ((input * 1_000 + output * 2_000) / 1_000_000) * 0.75;
    expect(batch).toHaveProperty('longhaul_cost', {
      currency: 'eur',
      amount: Number(amount.toFixed(9)),
    });
  });
});

describe('a batch of several models', () => {
  it('sends each line to its own, and has no model and no cost', async () => {
    const before = upstreams.map((upstream) => upstream.stats().requests);
    const lines = Array.from({ length: 60 }, (_, index) =>
      lineOf(index, models[index % 3 === 0 ? 1 : 0] ?? '', `Question ${index}`),
    );
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch).toMatchObject({
      status: 'completed',
      model: null,
      request_counts: { total: 60, completed: 60, failed: 0 },
    });
    expect(batch).not.toHaveProperty('longhaul_cost');
    const output = await linesOf(batch.output_file_id);
    expect(output.map((line) => line.response?.model)).toEqual(
      lines.map((_, index) => (index % 3 === 0 ? 'large' : 'small')),
    );
    const requests = upstreams.map(
      (upstream, index) => upstream.stats().requests - (before[index] ?? 0),
    );
    expect(requests).toEqual([40, 20]);
  });
});
