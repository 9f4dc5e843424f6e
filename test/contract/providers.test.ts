/**
 * What users of NetMind, DeepInfra and Inference.net have: their documented client code, and what it
 * relies on. One deployment serves all three, each below the path that its clients know.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { waitUntil } from '../../scripts/local/wait';
import { MailServer } from '../support/mail-server';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';
import { admin } from './support/admin';
import { curl, withJson, type CurlAnswer } from './support/curl';
import { runPythonProgram } from './support/python';
import { WebhookReceiver } from './support/webhook-receiver';

const network = { LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' };
const discount = 0.2;
const price = { input_per_million: 1_000, output_per_million: 2_000 };

let receiver: WebhookReceiver;
let mail: MailServer;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  mail = await MailServer.start();
});
const started = useUpstreamStack({
  apiEnv: {
    ...network,
    LONGHAUL_PATH_PREFIXES: '/v1/openai,/inference-api/openai/v1',
    LONGHAUL_COMPLETION_WINDOWS: '24h,3s',
  },
  workerEnv: () => ({
    ...network,
    LONGHAUL_CANCEL_GRACE_MS: '2000',
    LONGHAUL_SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    LONGHAUL_EMAIL_FROM: 'batches@example.com',
  }),
  upstreamsFile: { currency: 'usd', batch_discount: discount },
  model: { price },
});
afterAll(async () => {
  await receiver.close();
  await mail.close();
});

/** The deployment below another path. */
function baseUrlAt(path: string): string {
  return started().stack.baseUrl.replace('/v1', path);
}

/** A client of a project of its own. */
async function clientOfProject(project: string, path: string): Promise<OpenAI> {
  const printed = await admin(started().stack, ['keys', 'create', '--project', project]);
  return clientOf({ baseUrl: baseUrlAt(path), apiKey: /sk-longhaul-\S+/.exec(printed)?.[0] ?? '' });
}

function pythonSettings(client: OpenAI): Record<string, string> {
  return {
    LONGHAUL_TEST_BASE_URL: client.baseURL,
    LONGHAUL_TEST_API_KEY: String(client.apiKey),
    LONGHAUL_TEST_MODEL: demoModel,
  };
}

async function create(
  client: OpenAI,
  lines: readonly string[],
  endpoint: OpenAI.BatchCreateParams['endpoint'] = '/v1/chat/completions',
): Promise<Batch> {
  const file = await toFile(Buffer.from(lines.join('\n')), 'batch.jsonl');
  return await client.batches.create({
    input_file_id: (await client.files.create({ file, purpose: 'batch' })).id,
    endpoint,
    completion_window: '24h',
  });
}

async function codesOf(client: OpenAI, lines: readonly string[]): Promise<unknown[]> {
  const batch = await waitForEnd(client, (await create(client, lines)).id);
  expect(batch.status).toBe('failed');
  return (batch.errors?.data ?? []).map(({ code, line }) => [code, line]);
}

/** Some lines are answered at once, the others not for long. */
const slowLines = chatLines(60, (index) => (index < 5 ? 'Hi' : `[[slow:1000]] ${index}`));

async function someAnswers(client: OpenAI, batchId: string): Promise<void> {
  await pollBatch(client, batchId, {
    what: 'five answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 5,
  });
}

describe('NetMind', () => {
  let folder: string;
  let client: OpenAI;
  let fileId: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    client = await clientOfProject('netmind', '/inference-api/openai/v1');
    const path = join(folder, 'batch.jsonl');
    writeFileSync(path, chatLines(3).join('\n'));
    const answer = await call('/files', '-F', 'purpose=batch', '-F', `file=@${path}`);
    fileId = (answer.json() as { id: string }).id;
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  /** As its examples do: the path that its clients have, and the key without "Bearer". */
  async function call(path: string, ...args: readonly string[]): Promise<CurlAnswer> {
    return await curl(
      `${client.baseURL}${path}`,
      '-H',
      `Authorization: ${String(client.apiKey)}`,
      ...args,
    );
  }

  const createByCurl = async (): Promise<Batch> => {
    const body = {
      input_file_id: fileId,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { description: 'My batch job' },
    };
    const answer = await call('/batches', ...withJson(body));
    expect(answer.status).toBe(200);
    return answer.json() as Batch;
  };

  it('base path and auth header: a whole batch by curl, with the bare key', async () => {
    const batch = await createByCurl();
    await waitForEnd(client, batch.id);
    const ended = (await call(`/batches/${batch.id}`)).json() as Batch;
    expect(ended).toMatchObject({ status: 'completed', metadata: { description: 'My batch job' } });
    const output = await call(`/files/${ended.output_file_id ?? ''}/content`);
    const lines = output.body.toString('utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      ['request-0', 'request-1', 'request-2'].map((customId) => ({
        id: expect.any(String),
        custom_id: customId,
        response: { status_code: 200, request_id: expect.any(String), body: expect.any(Object) },
        error: null,
      })),
    );
  });

  it('first status: one that its clients take for not yet ended', async () => {
    expect((await createByCurl()).status).toBe('validating');
  });

  it('list: limit and after', async () => {
    const [older, newer] = [await createByCurl(), await createByCurl()];
    const first = (await call('/batches?limit=1')).json() as { data: Batch[] };
    expect(first.data.map(({ id }) => id)).toEqual([newer.id]);
    const next = (await call(`/batches?limit=1&after=${newer.id}`)).json() as { data: Batch[] };
    expect(next.data.map(({ id }) => id)).toEqual([older.id]);
  });

  it('cancel: requests in flight finish, then it is cancelled', async () => {
    const { id } = await create(client, slowLines);
    await someAnswers(client, id);
    const answer = await call(`/batches/${id}/cancel`, '-X', 'POST');
    expect(answer.json()).toMatchObject({ status: 'cancelling' });
    const batch = await waitForEnd(client, id);
    const { output } = await checkedResults(client, batch, slowLines);
    expect(batch.status).toBe('cancelled');
    expect(output.length).toBeGreaterThan(5);
  });

  it('line rules: unique custom_id, one model', async () => {
    const [first = '', second = ''] = chatLines(2);
    expect(await codesOf(client, [first, first])).toEqual([['duplicate_custom_id', 2]]);
    const other = second.replace(demoModel, 'another-model');
    expect(await codesOf(client, [first, other])).toContainEqual(['mismatched_model', 2]);
  });

  it('files: listed, read and deleted', async () => {
    const listed = (await call('/files?purpose=batch')).json() as { data: { id: string }[] };
    expect(listed.data.map(({ id }) => id)).toContain(fileId);
    expect((await call(`/files/${fileId}/content`)).body.toString('utf8')).toBe(
      chatLines(3).join('\n'),
    );
    const deleted = await call(`/files/${fileId}`, '-X', 'DELETE');
    expect(deleted.json()).toMatchObject({ deleted: true });
  });
});

describe('DeepInfra', () => {
  let client: OpenAI;
  let seen: {
    readonly batch: Batch & { readonly longhaul_cost: object };
    readonly progress: readonly { total: number; completed: number; tokens: number | null }[];
    readonly kept_seconds: number;
    readonly results: number;
  };
  beforeAll(async () => {
    client = await clientOfProject('deepinfra', '/v1/openai');
    const limits = ['--batch-lines', '50000', '--embedding-inputs', '50000'];
    const more = ['--file-bytes', '209715200', '--open-batches', '100'];
    await admin(started().stack, ['projects', 'set', 'deepinfra', ...limits, ...more]);
    seen = (await runPythonProgram('deepinfra.py', pythonSettings(client))) as typeof seen;
  }, 120_000);

  it('base path: its documented code runs', () => {
    expect(seen.batch.status).toBe('completed');
    expect(seen.results).toBe(64);
  });

  it('create accepts output_expires_after', () => {
    expect(seen.kept_seconds).toBe(7_200);
  });

  it('told when done: request_counts show progress', () => {
    const completed = seen.progress.map((one) => one.completed);
    expect(completed).toEqual(completed.toSorted((a, b) => a - b));
    expect(completed.some((count) => count > 0 && count < 64)).toBe(true);
    expect(new Set(seen.progress.map(({ total }) => total))).toEqual(new Set([64]));
  });

  it('told when done: usage shows progress', () => {
    const running = seen.progress.filter(({ completed }) => completed > 0);
    expect(running.length).toBeGreaterThan(0);
    expect(running.every(({ tokens }) => (tokens ?? 0) > 0)).toBe(true);
  });

  it('price: a fifth off', () => {
    const { usage, longhaul_cost: cost } = seen.batch;
    const full = ((usage?.input_tokens ?? 0) * 1_000 + (usage?.output_tokens ?? 0) * 2_000) / 1e6;
    const amount: unknown = expect.closeTo(full * (1 - discount), 6);
    expect(cost).toEqual({ currency: 'usd', amount });
  });

  it.each([
    ['/v1/completions', { prompt: 'Once' }],
    ['/v1/embeddings', { input: 'text' }],
  ] as const)('endpoints: %s', async (url, body) => {
    const request = { custom_id: 'a', method: 'POST', url, body: { model: demoModel, ...body } };
    const { id } = await create(client, [JSON.stringify(request)], url);
    expect(await waitForEnd(client, id)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 1 },
    });
  });

  it.each(['/v1/responses', '/v1/moderations', '/v1/images/generations', '/v1/videos'] as const)(
    'endpoints: %s is rejected',
    async (endpoint) => {
      await expect(create(client, chatLines(1), endpoint)).rejects.toMatchObject({
        status: 400,
        code: 'invalid_value',
        param: 'endpoint',
      });
    },
  );

  it('line rules: the URL of the batch, POST, one model', async () => {
    const [first = '', second = '', third = '', fourth = ''] = chatLines(4);
    const codes = await codesOf(client, [
      first,
      second.replace('/v1/chat/completions', '/v1/embeddings'),
      third.replace('POST', 'PUT'),
      fourth.replace(demoModel, 'another-model'),
    ]);
    expect(codes).toEqual(
      expect.arrayContaining([
        ['invalid_url', 2],
        ['invalid_method', 3],
        ['mismatched_model', 4],
      ]),
    );
  });

  it('requests per file: 50,000', async () => {
    expect(
      await codesOf(
        client,
        chatLines(50_001, () => ''),
      ),
    ).toEqual([['too_many_tasks', null]]);
  });

  it('embedding inputs: 50,000', async () => {
    const request = {
      custom_id: 'a',
      method: 'POST',
      url: '/v1/embeddings',
      body: { model: demoModel, input: Array.from({ length: 50_001 }, () => 'x') },
    };
    const { id } = await create(client, [JSON.stringify(request)], '/v1/embeddings');
    const batch = await waitForEnd(client, id);
    expect(batch.errors?.data?.[0]?.code).toBe('too_many_embedding_inputs');
  });

  it('file size: 200 MB', async () => {
    const large = Buffer.alloc(209_715_201, '{}\n');
    const file = await toFile(large, 'large.jsonl');
    await expect(client.files.create({ file, purpose: 'batch' })).rejects.toMatchObject({
      status: 400,
      error: { message: expect.stringContaining('too large') },
    });
  });

  it('batches: one more than the limit is refused, and not repeated', async () => {
    await admin(started().stack, ['projects', 'set', 'deepinfra', '--open-batches', '1']);
    const { id } = await create(client, slowLines);
    const sentMs = performance.now();
    await expect(create(client, chatLines(1))).rejects.toMatchObject({
      status: 429,
      code: 'batch_limit_exceeded',
    });
    expect(performance.now() - sentMs).toBeLessThan(1_000);
    await client.batches.cancel(id);
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
    expect((await create(client, chatLines(1))).status).toBe('validating');
  });
});

describe('Inference.net', () => {
  let client: OpenAI;
  let seen: {
    readonly created: Batch;
    readonly batch: Batch;
    readonly listed: readonly string[];
    readonly results: readonly { readonly response: { readonly body: object } }[];
  };
  beforeAll(async () => {
    client = await clientOfProject('inference-net', '/v1');
    const recipient = ['--email', 'ops@example.com'];
    await admin(started().stack, ['projects', 'set', 'inference-net', ...recipient]);
    seen = (await runPythonProgram('inference_net.py', {
      ...pythonSettings(client),
      LONGHAUL_TEST_WEBHOOK_URL: receiver.urlOf('/inference'),
    })) as typeof seen;
  }, 120_000);

  it('base path: its documented code runs', () => {
    expect(seen.created).toMatchObject({
      status: 'validating',
      metadata: { description: 'nightly eval job' },
    });
    expect(seen.batch.status).toBe('completed');
    expect(seen.listed).toContain(seen.batch.id);
    expect(seen.results).toHaveLength(2);
  });

  it('told when done: its webhook is called', async () => {
    const [{ body }] = await receiver.waitFor(seen.batch.id, '/inference');
    expect(JSON.parse(body)).toMatchObject({
      type: 'batch.completed',
      data: { id: seen.batch.id },
    });
  });

  it('told when done: by e-mail', async () => {
    const isAboutIt = (raw: string): boolean => raw.includes(seen.batch.id);
    await waitUntil(() => mail.received.some(({ raw }) => isAboutIt(raw)), {
      what: 'the e-mail',
      timeoutMs: 30_000,
    });
    expect(mail.received.find(({ raw }) => isAboutIt(raw))?.recipients).toEqual([
      'ops@example.com',
    ]);
  });

  it('line rules: unique custom_id, POST only, each object on one line', async () => {
    const [first = '', second = ''] = chatLines(2);
    const codes = await codesOf(client, [first, first, second.replace('POST', 'GET'), '{', '}']);
    expect(codes).toEqual([
      ['duplicate_custom_id', 2],
      ['invalid_method', 3],
      ['invalid_json_line', 4],
      ['invalid_json_line', 5],
    ]);
  });

  it('cancel: works, though it is documented as not available', async () => {
    const { id } = await create(client, slowLines);
    await client.batches.cancel(id);
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  it('expiry: what is done is kept and charged, the rest says why it is not there', async () => {
    const lines = chatLines(100, (index) => (index < 5 ? 'Hi' : `[[slow:1500]] ${index}`));
    const { id } = await createBatch(client, lines, { completionWindow: '3s' });
    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('expired');
    const { output, errors } = await checkedResults(client, batch, lines);
    expect(output.length).toBeGreaterThan(0);
    expect(errors.at(-1)?.error).toEqual({ code: 'batch_expired', message: expect.any(String) });
    const tokens = output.map(
      ({ response }) => (response?.body as OpenAI.ChatCompletion).usage?.total_tokens ?? NaN,
    );
    expect(batch.usage?.total_tokens).toBe(tokens.reduce((sum, each) => sum + each, 0));
  });
});
