/**
 * What users of DeepInfra and Inference.net have: their documented client code, and what it relies on.
 * One deployment serves both, each below the path that its clients know.
 */
import type OpenAI from 'openai';
import { chatLines, waitForEnd, type Batch, type ResultLine } from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { waitUntil } from '../../scripts/local/wait';
import { MailServer } from '../support/mail-server';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';
import { admin } from '../support/admin-program';
import {
  clientOfProject,
  codesOf,
  commonChecks,
  create,
  endOfOne,
  fullCostOf,
  limitChecks,
  price,
  projectLimits,
  runningChecks,
  slowLines,
  someAnswers,
} from './support/provider-checks';
import { cellsOf } from './support/provider-table';
import { runPythonProgram } from './support/python';
import { WebhookReceiver } from './support/webhook-receiver';

const network = { LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' };
const discount = 0.2;

let receiver: WebhookReceiver;
let mail: MailServer;
beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  mail = await MailServer.start();
});
const started = useUpstreamStack({
  apiEnv: {
    ...network,
    LONGHAUL_PATH_PREFIXES: '/v1/openai',
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

function pythonSettings(client: OpenAI): Record<string, string> {
  return {
    LONGHAUL_TEST_BASE_URL: client.baseURL,
    LONGHAUL_TEST_API_KEY: String(client.apiKey),
    LONGHAUL_TEST_MODEL: demoModel,
  };
}

describe('DeepInfra', () => {
  const cells = cellsOf('DeepInfra');
  const { cell } = cells;
  let client: OpenAI;
  let seen: {
    readonly batch: Batch & { readonly longhaul_cost: object };
    readonly progress: readonly { total: number; completed: number; tokens: number | null }[];
    readonly kept_seconds: number;
    readonly results: number;
  };
  beforeAll(async () => {
    client = await clientOfProject(started().stack, 'deepinfra', '/v1/openai');
    const limits = [...projectLimits, '--embedding-inputs', '50000', '--open-batches', '100'];
    await admin(started().stack, ['projects', 'set', 'deepinfra', ...limits]);
    seen = (await runPythonProgram('deepinfra.py', pythonSettings(client))) as typeof seen;
  }, 120_000);

  it(`${cell('base path')}: its documented code runs`, () => {
    expect(seen.batch.status).toBe('completed');
    expect(seen.results).toBe(64);
  });

  it(`${cell('create accepts')}: output_expires_after`, () => {
    expect(seen.kept_seconds).toBe(7_200);
  });

  it(`${cell('told when done')}: request_counts show progress`, () => {
    const completed = seen.progress.map((one) => one.completed);
    expect(completed).toEqual(completed.toSorted((a, b) => a - b));
    expect(completed.some((count) => count > 0 && count < 64)).toBe(true);
    expect(new Set(seen.progress.map(({ total }) => total))).toEqual(new Set([64]));
  });

  it(`${cell('told when done')}: usage shows progress`, () => {
    const running = seen.progress.filter(({ completed }) => completed > 0);
    expect(running.length).toBeGreaterThan(0);
    expect(running.every(({ tokens }) => (tokens ?? 0) > 0)).toBe(true);
  });

  it(`${cell('price')}: a fifth off`, () => {
    const { longhaul_cost: cost } = seen.batch;
    const amount: unknown = expect.closeTo(fullCostOf(seen.batch) * (1 - discount), 6);
    expect(cost).toEqual({ currency: 'usd', amount });
  });

  it.each([
    ['/v1/completions', { prompt: 'Once' }],
    ['/v1/embeddings', { input: 'text' }],
  ] as const)(`${cell('endpoints')}: %s`, async (url, body) => {
    expect(await endOfOne(client, url, body)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 1 },
    });
  });

  it.each(['/v1/responses', '/v1/moderations', '/v1/images/generations', '/v1/videos'] as const)(
    `${cell('endpoints')}: %s is rejected`,
    async (endpoint) => {
      await expect(create(client, chatLines(1), endpoint)).rejects.toMatchObject({
        status: 400,
        code: 'invalid_value',
        param: 'endpoint',
      });
    },
  );

  it(`${cell('line rules')}: the URL of the batch, POST, one model`, async () => {
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

  it(`${cell('requests per file')}: 50,000 embedding inputs`, async () => {
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

  it.each([
    ...commonChecks(cells, () => client),
    ...runningChecks(cells, () => client),
    ...limitChecks(cells, () => client),
  ])('$title', async ({ check }) => {
    await check();
  });

  it(`${cell('cancel')}: before the first request, then cancelled`, async () => {
    const { id } = await create(client, slowLines);
    expect(['cancelling', 'cancelled']).toContain((await client.batches.cancel(id)).status);
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  describe('a batch cancelled while it runs', () => {
    let batch: Batch;
    beforeAll(async () => {
      const { id } = await create(client, slowLines);
      await someAnswers(client, id);
      await client.batches.cancel(id);
      batch = await waitForEnd(client, id);
    });

    it(`${cell('cancel')}: is cancelled, with the counts of what was done`, () => {
      expect(batch.status).toBe('cancelled');
      expect(batch.request_counts?.completed).toBeGreaterThanOrEqual(5);
    });

    it(`${cell('result line')}: {status_code, body}, or no response and an error`, async () => {
      const { output, errors } = await checkedResults(client, batch, slowLines);
      const body: unknown = expect.objectContaining({ object: 'chat.completion' });
      expect(output[0]).toMatchObject({ response: { status_code: 200, body }, error: null });
      const error = { code: 'batch_cancelled', message: expect.stringMatching(/\S/) };
      expect(errors.at(-1)).toMatchObject({ response: null, error });
    });
  });

  it(`${cell('files and batches')}: one batch more than the limit is refused, and not repeated`, async () => {
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

  it('has a test of every cell', () => {
    expect(cells.untested()).toEqual([]);
  });
});

describe('Inference.net', () => {
  const cells = cellsOf('Inference.net');
  const { cell } = cells;
  let client: OpenAI;
  let seen: {
    readonly created: Batch;
    readonly batch: Batch;
    readonly listed: readonly string[];
    readonly results: readonly ResultLine[];
  };
  beforeAll(async () => {
    client = await clientOfProject(started().stack, 'inference-net', '/v1');
    const recipient = ['--email', 'ops@example.com'];
    await admin(started().stack, [
      'projects',
      'set',
      'inference-net',
      ...projectLimits,
      ...recipient,
    ]);
    seen = (await runPythonProgram('inference_net.py', {
      ...pythonSettings(client),
      LONGHAUL_TEST_WEBHOOK_URL: receiver.urlOf('/inference'),
    })) as typeof seen;
  }, 120_000);

  it(`${cell('base path')}: its documented code runs`, () => {
    expect(seen.batch.status).toBe('completed');
    expect(seen.listed).toContain(seen.batch.id);
    expect(seen.results).toHaveLength(2);
  });

  it(`${cell('told when done')}: its webhook is called`, async () => {
    const [{ body }] = await receiver.waitFor(seen.batch.id, '/inference');
    expect(JSON.parse(body)).toMatchObject({
      type: 'batch.completed',
      data: { id: seen.batch.id },
    });
  });

  it(`${cell('told when done')}: by e-mail`, async () => {
    const isAboutIt = (raw: string): boolean => raw.includes(seen.batch.id);
    await waitUntil(() => mail.received.some(({ raw }) => isAboutIt(raw)), {
      what: 'the e-mail',
      timeoutMs: 30_000,
    });
    expect(mail.received.find(({ raw }) => isAboutIt(raw))?.recipients).toEqual([
      'ops@example.com',
    ]);
  });

  it(`${cell('line rules')}: unique custom_id, POST only, each object on one line`, async () => {
    const [first = '', second = ''] = chatLines(2);
    const codes = await codesOf(client, [first, first, second.replace('POST', 'GET'), '{', '}']);
    expect(codes).toEqual([
      ['duplicate_custom_id', 2],
      ['invalid_method', 3],
      ['invalid_json_line', 4],
      ['invalid_json_line', 5],
    ]);
  });

  it(`${cell('cancel')}: works, though it is documented as not available`, async () => {
    const { id } = await create(client, slowLines);
    await client.batches.cancel(id);
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  it(`${cell('create accepts')}: metadata and webhook_url`, () => {
    expect(seen.created).toMatchObject({ metadata: { description: 'nightly eval job' } });
  });

  it.each([
    ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['/v1/completions', { prompt: 'Once' }],
  ] as const)(`${cell('endpoints')}: %s`, async (url, body) => {
    expect(await endOfOne(client, url, body)).toMatchObject({
      status: 'completed',
      request_counts: { completed: 1 },
    });
  });

  it(`${cell('result line')}: OpenAI's`, () => {
    expect(seen.results.map(({ custom_id: id }) => id)).toEqual(['request-0', 'request-1']);
    const response = { status_code: 200, request_id: expect.any(String), body: expect.any(Object) };
    expect(seen.results[0]).toMatchObject({ id: expect.any(String), response, error: null });
  });

  it.each([
    ...commonChecks(cells, () => client),
    ...runningChecks(cells, () => client),
    ...limitChecks(cells, () => client),
  ])('$title', async ({ check }) => {
    await check();
  });

  it('has a test of every cell', () => {
    expect(cells.untested()).toEqual([]);
  });
});
