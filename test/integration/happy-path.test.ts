import OpenAI, { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import { checkedResults } from '../support/result-checks';
import { connectTemporal } from '../support/temporal-client';
import { useStack } from '../support/local-stack';

const stack = useStack();
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

describe('a batch without faults', () => {
  it('completes with one output line per request, in the order of the input', async () => {
    const lines = chatLines(300);
    const created = await createBatch(client, lines, { metadata: { job: 'nightly' } });
    expect(created).toMatchObject({ status: 'validating', metadata: { job: 'nightly' } });

    const batch = await waitForEnd(client, created.id);

    expect(batch).toMatchObject({ status: 'completed', error_file_id: null, errors: null });
    const { output } = await checkedResults(client, batch, lines);
    expect(output).toHaveLength(300);
    const usage = output.map(({ response }) => usageOf(response?.body));
    expect(batch.usage?.input_tokens).toBe(sum(usage.map((each) => each.prompt_tokens)));
    expect(batch.usage?.output_tokens).toBe(sum(usage.map((each) => each.completion_tokens)));
    expect(batch.usage?.total_tokens).toBe(sum(usage.map((each) => each.total_tokens)));
  });

  it('runs several shards and keeps the order across them', async () => {
    const lines = chatLines(12_000);
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch.status).toBe('completed');
    await checkedResults(client, batch, lines);
  });

  it('shows growing counts while it runs', async () => {
    const lines = chatLines(400, (index) => `[[slow:500]] ${index}`);
    const { id } = await createBatch(client, lines);
    const seen: number[] = [];
    const totals = new Set<number | undefined>();
    const batch = await pollBatch(client, id, {
      what: 'the batch to complete',
      timeoutMs: 60_000,
      is: ({ status, request_counts: counts }) => {
        if (status === 'in_progress') {
          totals.add(counts?.total);
          seen.push(counts?.completed ?? 0);
        }
        return status === 'completed';
      },
    });
    expect(totals).toEqual(new Set([400]));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.some((count) => count > 0 && count < 400)).toBe(true);
    await checkedResults(client, batch, lines);
  });

  it.each([
    ['/v1/completions', { prompt: 'Once upon a time' }],
    ['/v1/embeddings', { input: ['one', 'two'] }],
  ] as const)('serves %s', async (endpoint, body) => {
    const lines = Array.from({ length: 5 }, (_, index) =>
      JSON.stringify({
        custom_id: `request-${index}`,
        method: 'POST',
        url: endpoint,
        body: { model: 'longhaul-demo-model', ...body },
      }),
    );
    const file = await client.files.create({
      file: await toFile(Buffer.from(lines.join('\n')), 'requests.jsonl'),
      purpose: 'batch',
    });
    const created = await client.batches.create({
      input_file_id: file.id,
      endpoint,
      completion_window: '24h',
    });
    const batch = await waitForEnd(client, created.id);
    expect(batch.status).toBe('completed');
    const { output } = await checkedResults(client, batch, lines);
    expect(output.every(({ response }) => response?.status_code === 200)).toBe(true);
  });

  it('leaves no marker, ledger or progress in the store', async () => {
    const { id } = await createBatch(client, chatLines(3));
    await waitForEnd(client, id);
    const temporal = await connectTemporal(stack());
    await temporal.workflow.getHandle(id).result();
    const description = await temporal.workflow.getHandle(id).describe();
    await temporal.connection.close();
    expect(await storedKeys(id)).toEqual([
      expect.stringMatching(/\/end$/),
      expect.stringMatching(/\/record\.json$/),
    ]);
    expect(description.typedSearchAttributes.getAll()).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ value: 'completed' }),
        expect.objectContaining({ value: 'longhaul-demo-model' }),
        expect.objectContaining({ value: 3 }),
      ]),
    );
  });
});

describe('an invalid file', () => {
  it('fails the batch with every bad line and sends nothing upstream', async () => {
    const before = await upstreamRequests();
    const good = chatLines(4);
    const lines = [
      good[0] ?? '',
      'no JSON',
      good[0] ?? '',
      JSON.stringify({ method: 'POST', url: '/v1/chat/completions', body: {} }),
      JSON.stringify({ ...parsed(good[1]), method: 'GET' }),
      JSON.stringify({ ...parsed(good[2]), url: '/v1/embeddings' }),
      JSON.stringify({ ...parsed(good[3]), body: undefined }),
    ];
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch).toMatchObject({
      status: 'failed',
      output_file_id: null,
      error_file_id: null,
      request_counts: { total: 0, completed: 0, failed: 0 },
    });
    expect(batch.errors?.data?.map(({ line, code, param }) => [line, code, param])).toEqual([
      [2, 'invalid_json_line', null],
      [3, 'duplicate_custom_id', 'custom_id'],
      [4, 'missing_required_parameter', 'custom_id'],
      [4, 'missing_required_parameter', 'body.model'],
      [4, 'missing_required_parameter', 'body.messages'],
      [5, 'invalid_method', 'method'],
      [6, 'invalid_url', 'url'],
      [7, 'missing_required_parameter', 'body'],
    ]);
    expect(await upstreamRequests()).toBe(before);
  });

  it('fails the batch when the file does not exist', async () => {
    const created = await client.batches.create({
      input_file_id: 'file-00000000000000000000000000000000',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    const batch = await waitForEnd(client, created.id);
    expect(batch.status).toBe('failed');
    expect(batch.errors?.data).toEqual([
      expect.objectContaining({ code: 'invalid_request', param: 'file_id', line: null }),
    ]);
  });
});

describe('a deleted input file', () => {
  it('is read to its end by the batch that uses it, and is gone afterwards', async () => {
    const lines = chatLines(200, (index) => `[[slow:300]] ${index}`);
    const created = await createBatch(client, lines);
    await client.files.delete(created.input_file_id);
    await expect(client.files.retrieve(created.input_file_id)).rejects.toThrow(
      OpenAI.NotFoundError,
    );
    const batch = await waitForEnd(client, created.id);
    expect(batch.status).toBe('completed');
    await checkedResults(client, batch, lines);
  });
});

async function storedKeys(batchId: string): Promise<string[]> {
  const store = createMinioObjectStore(stack().store);
  const [batchObjects, open] = await Promise.all([
    store.list(`projects/default/batches/${batchId}/`),
    store.list('open/'),
  ]);
  store.close();
  expect(open.items.filter(({ key }) => key.endsWith(batchId))).toEqual([]);
  return batchObjects.items.map(({ key }) => key);
}

async function upstreamRequests(): Promise<number> {
  const answer = await fetch(`${stack().upstreamUrl}/_stats`);
  return ((await answer.json()) as { requests: number }).requests;
}

interface ChatUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

function usageOf(body: unknown): ChatUsage {
  return (body as { usage: ChatUsage }).usage;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function parsed(line: string | undefined): object {
  return JSON.parse(line ?? '{}') as object;
}
