/** What is alike for several of the hosted services: helpers of their tests, and whole checks. */
import OpenAI, { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../../scripts/local/batches';
import type { Stack } from '../../../scripts/local/stack';
import { demoModel } from '../../../scripts/local/upstream-choice';
import { checkedResults } from '../../support/result-checks';
import { admin } from '../../support/admin-program';
import type { Cells } from './provider-table';

/** A client of a project of its own, below the path that the clients of its service know. */
export async function clientOfProject(
  stack: Stack,
  project: string,
  path: string,
): Promise<OpenAI> {
  const printed = await admin(stack, ['keys', 'create', '--project', project]);
  const apiKey = /sk-longhaul-\S+/.exec(printed)?.[0] ?? '';
  return clientOf({ baseUrl: stack.baseUrl.replace('/v1', path), apiKey });
}

export async function create(
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

/** Runs a batch of one request to an endpoint; returns it when it has ended. */
export async function endOfOne(
  client: OpenAI,
  url: Parameters<typeof create>[2],
  body: object,
): Promise<Batch> {
  const request = { custom_id: 'a', method: 'POST', url, body: { model: demoModel, ...body } };
  const { id } = await create(client, [JSON.stringify(request)], url);
  return await waitForEnd(client, id);
}

/** Code and line of each error of a batch that fails. */
export async function codesOf(client: OpenAI, lines: readonly string[]): Promise<unknown[]> {
  const batch = await waitForEnd(client, (await create(client, lines)).id);
  expect(batch.status).toBe('failed');
  return (batch.errors?.data ?? []).map(({ code, line }) => [code, line]);
}

/** Some lines are answered at once, the others not for long. */
export const slowLines = chatLines(60, (index) =>
  index < 5 ? 'Hi' : `[[slow:${index < 40 ? 1_000 : 10_000}]] ${index}`,
);

export async function someAnswers(client: OpenAI, batchId: string): Promise<Batch> {
  return await pollBatch(client, batchId, {
    what: 'five answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) >= 5,
  });
}

/** What a batch costs without a discount, at the prices of the tests. */
export const price = { input_per_million: 1_000, output_per_million: 2_000 };

export function fullCostOf({ usage }: Batch): number {
  const input = (usage?.input_tokens ?? NaN) * price.input_per_million;
  return (input + (usage?.output_tokens ?? NaN) * price.output_per_million) / 1e6;
}

/** What a test of several services does, for `it.each`. */
interface Check {
  readonly title: string;
  readonly check: () => Promise<void>;
}

type CommonRow = 'completion window' | 'first status' | 'auth header' | 'list' | 'files';

/** The rows in which all services say the same; the client is there when the tests run. */
export function commonChecks(
  { cell }: Cells<CommonRow>,
  clientNow: () => OpenAI,
): readonly Check[] {
  return [
    {
      title: `${cell('completion window')}: 24h, and no other text`,
      check: async () => {
        const client = clientNow();
        const batch = await createBatch(client, chatLines(1));
        expect(batch.completion_window).toBe('24h');
        expect((batch.expires_at ?? NaN) - batch.created_at).toBe(86_400);
        await expect(
          createBatch(client, chatLines(1), { completionWindow: 'soon' }),
        ).rejects.toMatchObject({ status: 400, param: 'completion_window' });
      },
    },

    {
      title: `${cell('first status')}: validating, which clients take for not yet ended`,
      check: async () => {
        expect((await createBatch(clientNow(), chatLines(1))).status).toBe('validating');
      },
    },

    {
      title: `${cell('auth header')}: Bearer and the key`,
      check: async () => {
        const { apiKey, baseURL } = clientNow();
        const statusOf = async (authorization: string): Promise<number> =>
          (await fetch(`${baseURL}/batches`, { headers: { authorization } })).status;
        expect(await statusOf(`Bearer ${String(apiKey)}`)).toBe(200);
        expect(await statusOf(`Bearer ${String(apiKey)}0`)).toBe(401);
      },
    },

    {
      title: `${cell('list')}: limit, after, first_id, last_id and has_more`,
      check: async () => {
        const client = clientNow();
        const older = await createBatch(client, chatLines(1));
        const newer = await createBatch(client, chatLines(1));
        const idOnly = ({ id }: Batch): object => ({
          data: [expect.objectContaining({ id })],
          first_id: id,
          last_id: id,
          has_more: true,
        });
        // Its page objects leave out first_id and last_id.
        const first = await client.get('/batches', { query: { limit: 1 } });
        expect(first).toMatchObject(idOnly(newer));
        const next = await client.get('/batches', { query: { limit: 1, after: newer.id } });
        expect(next).toMatchObject({ ...idOnly(older), has_more: expect.any(Boolean) });
      },
    },

    {
      title: `${cell('files')}: created, listed, read and deleted`,
      check: async () => {
        const { files } = clientNow();
        const text = chatLines(2).join('\n');
        const file = await toFile(Buffer.from(text), 'mine.jsonl');
        const { id } = await files.create({ file, purpose: 'batch' });
        expect((await files.list()).data.map((each) => each.id)).toContain(id);
        expect(await (await files.content(id)).text()).toBe(text);
        expect(await files.delete(id)).toMatchObject({ id, deleted: true });
        await expect(files.retrieve(id)).rejects.toThrow(OpenAI.NotFoundError);
      },
    },
  ];
}

/** The rows in which only NetMind says nothing. */
export function runningChecks(
  { cell }: Cells<'line order' | 'rate limits' | 'expiry'>,
  clientNow: () => OpenAI,
): readonly Check[] {
  return [
    {
      title: `${cell('line order')}: the input's, though later lines are answered first`,
      check: async () => {
        const client = clientNow();
        const lines = chatLines(8, (index) => `[[slow:${320 - index * 40}]] ${index}`);
        const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
        const { output } = await checkedResults(client, batch, lines);
        expect(output.map((line) => line.custom_id)).toEqual(
          Array.from({ length: 8 }, (_, index) => `request-${index}`),
        );
      },
    },

    {
      title: `${cell('rate limits')}: none that several batches share with other calls`,
      check: async () => {
        const client = clientNow().withOptions({ maxRetries: 0 });
        const lines = chatLines(10);
        const batches = await Promise.all(
          Array.from({ length: 5 }, async () => await createBatch(client, lines)),
        );
        const calls = Array.from({ length: 30 }, async () => await client.models.list());
        expect(await Promise.all(calls)).toHaveLength(30);
        const ended = await Promise.all(
          batches.map(async ({ id }) => await waitForEnd(client, id)),
        );
        expect(ended.map(({ request_counts: counts }) => counts?.completed)).toEqual(
          Array.from({ length: 5 }, () => 10),
        );
      },
    },

    {
      title: `${cell('expiry')}: the batch is expired, and what is done is kept and charged`,
      check: async () => {
        const client = clientNow();
        const lines = chatLines(100, (index) => (index < 5 ? 'Hi' : `[[slow:1500]] ${index}`));
        const { id } = await createBatch(client, lines, { completionWindow: '3s' });
        const batch = await waitForEnd(client, id);
        expect(batch.status).toBe('expired');
        const { output, errors } = await checkedResults(client, batch, lines);
        expect(output.length).toBeGreaterThan(0);
        expect(errors.at(-1)?.error).toEqual({
          code: 'batch_expired',
          message: expect.any(String),
        });
        const tokens = output.map(({ response }) => usageOf(response).total_tokens);
        expect(batch.usage?.total_tokens).toBe(tokens.reduce((sum, each) => sum + each, 0));
      },
    },
  ];
}

/** The limits that DeepInfra and Inference.net document, as settings of a project. */
export const projectLimits = ['--batch-lines', '50000', '--file-bytes', '209715200'];

export function limitChecks(
  { cell }: Cells<'requests per file' | 'file size'>,
  clientNow: () => OpenAI,
): readonly Check[] {
  return [
    {
      title: `${cell('requests per file')}: 50,000`,
      check: async () => {
        const lines = chatLines(50_001, () => '');
        expect(await codesOf(clientNow(), lines)).toEqual([['too_many_tasks', null]]);
      },
    },

    {
      title: `${cell('file size')}: 200 MB`,
      check: async () => {
        const file = await toFile(Buffer.alloc(209_715_201, '{}\n'), 'large.jsonl');
        await expect(clientNow().files.create({ file, purpose: 'batch' })).rejects.toMatchObject({
          status: 400,
          error: { message: expect.stringContaining('too large') },
        });
      },
    },
  ];
}

/** Of a completion that is the response itself, or its body. */
function usageOf(response: unknown): OpenAI.CompletionUsage {
  const { usage, body } = response as Partial<OpenAI.ChatCompletion> & {
    readonly body?: OpenAI.ChatCompletion;
  };
  const found = body?.usage ?? usage;
  if (found === undefined) {
    throw new Error('The response has no usage.');
  }
  return found;
}
