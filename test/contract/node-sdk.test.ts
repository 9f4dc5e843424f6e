/** The official Node client against a running server. */
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI, { toFile } from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { checkedResults } from '../support/result-checks';
import { useStack } from '../support/local-stack';
import { openLossyWays, type LossyWays } from './support/lossy-ways';
import { batchOnWire, fileOnWire, uploadOnWire } from './support/wire';

const text = chatLines(3)
  .map((line) => `${line}\n`)
  .join('');
const stack = useStack();
let client: OpenAI;
let folder: string;

beforeAll(() => {
  client = clientOf(stack());
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  writeFileSync(join(folder, 'in.jsonl'), text);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const newFile = async (): Promise<OpenAI.FileObject> =>
  await client.files.create({ file: await toFile(Buffer.from(text), 'a.jsonl'), purpose: 'batch' });

describe('an upload', () => {
  /** What the client makes of each: the name that arrives. */
  const sources: readonly [string, string, () => Promise<OpenAI.FileCreateParams['file']>][] = [
    [
      'a read stream, chunked, before the purpose',
      'in.jsonl',
      async () => await Promise.resolve(createReadStream(join(folder, 'in.jsonl'))),
    ],
    [
      'bytes with a name',
      'näme 日本.jsonl',
      async () => await toFile(Buffer.from(text), 'näme 日本.jsonl'),
    ],
    ['bytes without a name', 'unknown_file', async () => await toFile(Buffer.from(text))],
    [
      'a File of the platform',
      'file.jsonl',
      async () => await Promise.resolve(new File([text], 'file.jsonl')),
    ],
    [
      'the answer to a download',
      'content',
      async () => await client.files.content((await newFile()).id),
    ],
  ];

  it.each(sources)('takes %s', async (_, filename, source) => {
    const file = await client.files.create({ file: await source(), purpose: 'batch' });
    expect(file).toEqual(fileOnWire({ filename, bytes: Buffer.byteLength(text) }));
    expect(await (await client.files.content(file.id)).text()).toBe(text);
  });

  it('takes an expiry that comes after a stream without a length', async () => {
    const file = await client.files.create({
      file: createReadStream(join(folder, 'in.jsonl')),
      purpose: 'batch',
      expires_after: { anchor: 'created_at', seconds: 3_600 },
    });
    expect((file.expires_at ?? 0) - file.created_at).toBe(3_600);
  });
});

describe('a file', () => {
  it('is retrieved, found processed, and deleted', async () => {
    const file = await newFile();
    expect(await client.files.retrieve(file.id)).toEqual(file);
    expect(await client.files.waitForProcessing(file.id, { pollInterval: 10 })).toEqual(file);
    expect(await client.files.delete(file.id)).toEqual({
      id: file.id,
      object: 'file',
      deleted: true,
    });
    await expect(client.files.retrieve(file.id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it('is found by pages in both orders, each file once', async () => {
    const made = [await newFile(), await newFile(), await newFile()].map(({ id }) => id);
    const ids = async (order: 'asc' | 'desc'): Promise<string[]> => {
      const found: string[] = [];
      for await (const { id } of client.files.list({ limit: 2, order, purpose: 'batch' })) {
        found.push(id);
      }
      return found;
    };
    const newest = await ids('desc');
    expect(newest.slice(0, 3)).toEqual(made.toReversed());
    expect(await ids('asc')).toEqual(newest.toReversed());
    expect(new Set(newest).size).toBe(newest.length);
  });

  it('is streamed', async () => {
    const long = `${chatLines(20_000).join('\n')}\n`;
    const { id } = await client.files.create({
      file: await toFile(Buffer.from(long), 'long.jsonl'),
      purpose: 'batch',
    });
    const { body, headers } = await client.files.content(id);
    const hash = createHash('sha256');
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
    }
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(long)));
    expect(hash.digest('hex')).toBe(createHash('sha256').update(long).digest('hex'));
  });
});

describe('a batch', () => {
  it('runs to its end, with a line for each request', async () => {
    const lines = chatLines(20, (index) => (index % 5 === 0 ? '[[fail:400]]' : `Line ${index}`));
    const created = await createBatch(client, lines, { metadata: { job: 'nightly' } });
    const fields = { input_file_id: created.input_file_id, metadata: { job: 'nightly' } };
    expect(created).toEqual(batchOnWire(fields));
    const batch = await waitForEnd(client, created.id);
    const { output, errors } = await checkedResults(client, batch, lines);
    expect([batch.status, output.length, errors.length]).toEqual(['completed', 16, 4]);
  });

  it('is cancelled by a request with neither a body nor a type', async () => {
    // More slow ones than are sent at a time, behind some that are answered at once.
    const lines = chatLines(1_000, (index) => (index < 10 ? 'Hi' : `[[slow:1000]] ${index}`));
    const { id } = await createBatch(client, lines);
    await pollBatch(client, id, {
      what: 'a first answer',
      timeoutMs: 30_000,
      is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
    });
    expect((await client.batches.cancel(id)).status).toBe('cancelling');
    const batch = await waitForEnd(client, id);
    expect(batch.status).toBe('cancelled');
    await checkedResults(client, batch, lines);
    expect(await client.batches.cancel(id)).toEqual(batch);
  });

  it('is found by pages, newest first', async () => {
    const made: string[] = [];
    for (let number = 0; number < 3; number++) {
      made.push((await createBatch(client, chatLines(1))).id);
    }
    const found: string[] = [];
    for await (const { id } of client.batches.list({ limit: 1 })) {
      found.push(id);
    }
    expect(found.slice(0, 3)).toEqual(made.toReversed());
    expect(new Set(found).size).toBe(found.length);
    await Promise.all(made.map(async (id) => await waitForEnd(client, id)));
  });
});

describe('the answer', () => {
  it('comes with its id, parsed and raw', async () => {
    const { data, response, request_id: id } = await client.models.list().withResponse();
    expect(data.data.map((model) => model.id)).toEqual([demoModel]);
    expect(response.status).toBe(200);
    expect(id).toBe(response.headers.get('x-request-id'));
    expect(id).toMatch(/\S/);
  });

  it('is left alone on request', async () => {
    const { id } = await newFile();
    const response = await client.files.retrieve(id).asResponse();
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(await response.json()).toMatchObject({ id });
  });
});

describe('an upload in parts', () => {
  const parameters = {
    purpose: 'batch',
    filename: 'requests.jsonl',
    bytes: Buffer.byteLength(text),
    mime_type: 'text/jsonl',
  } as const;
  const half = Math.floor(text.length / 2);

  it('is put together in the order that completing it names', async () => {
    const upload = await client.uploads.create(parameters);
    expect(upload).toEqual(uploadOnWire({ bytes: parameters.bytes }));
    // The second half goes first.
    const last = await client.uploads.parts.create(upload.id, {
      data: await toFile(Buffer.from(text.slice(half))),
    });
    const first = await client.uploads.parts.create(upload.id, {
      data: await toFile(Buffer.from(text.slice(0, half))),
    });
    const completion = {
      part_ids: [first.id, last.id],
      md5: createHash('md5').update(text).digest('hex'),
    };
    const completed = await client.uploads.complete(upload.id, completion);
    expect(completed).toEqual(
      uploadOnWire({ id: upload.id, status: 'completed', file: fileOnWire() }),
    );
    expect(await (await client.files.content(completed.file?.id ?? '')).text()).toBe(text);
    expect(await client.uploads.complete(upload.id, completion)).toEqual(completed);
    const batch = await client.batches.create({
      input_file_id: completed.file?.id ?? '',
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    expect((await waitForEnd(client, batch.id)).request_counts?.completed).toBe(3);
  });

  it('takes its parts at the same time', async () => {
    const upload = await client.uploads.create(parameters);
    const pieces = Array.from({ length: Math.ceil(text.length / 100) }, (_, index) => index * 100);
    const parts = await Promise.all(
      pieces.map(async (start) => {
        const data = await toFile(Buffer.from(text.slice(start, start + 100)));
        return await client.uploads.parts.create(upload.id, { data });
      }),
    );
    expect(new Set(parts.map(({ id }) => id)).size).toBe(pieces.length);
    const completed = await client.uploads.complete(upload.id, {
      part_ids: parts.map(({ id }) => id),
    });
    expect(await (await client.files.content(completed.file?.id ?? '')).text()).toBe(text);
  });

  it('is refused when size or digest do not fit, and can then be completed all the same', async () => {
    const upload = await client.uploads.create(parameters);
    const part = await client.uploads.parts.create(upload.id, {
      data: await toFile(Buffer.from(text)),
    });
    const complete = async (body: OpenAI.UploadCompleteParams): Promise<OpenAI.Upload> =>
      await client.uploads.complete(upload.id, body);
    const half = await client.uploads.parts.create(upload.id, {
      data: await toFile(Buffer.from('{}')),
    });
    for (const [body, param] of [
      [{ part_ids: [half.id] }, 'part_ids'],
      [{ part_ids: [part.id], md5: '0'.repeat(32) }, 'md5'],
      [{ part_ids: ['part_nobody'] }, 'part_ids'],
      [{ part_ids: [part.id, part.id] }, 'part_ids'],
    ] as const) {
      const error: unknown = await complete({ ...body, part_ids: [...body.part_ids] }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(OpenAI.BadRequestError);
      expect(error).toMatchObject({ status: 400, param });
    }
    expect((await complete({ part_ids: [part.id] })).status).toBe('completed');
  });

  it('takes no part once it is cancelled', async () => {
    const upload = await client.uploads.create(parameters);
    const cancelled = await client.uploads.cancel(upload.id);
    expect(cancelled).toEqual({ ...upload, status: 'cancelled' });
    expect(await client.uploads.cancel(upload.id)).toEqual(cancelled);
    const late = client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text)) });
    await expect(late).rejects.toThrow(OpenAI.BadRequestError);
    const complete = client.uploads.complete(upload.id, { part_ids: ['part_x'] });
    await expect(complete).rejects.toThrow(OpenAI.BadRequestError);
  });
});

describe('an error', () => {
  const request = {
    input_file_id: 'file-x',
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
  } as const;

  it.each([
    ['a wrong endpoint', { endpoint: '/v1/nothing' }, 'invalid_value', 'endpoint'],
    ['a wrong window', { completion_window: '' }, 'invalid_value', 'completion_window'],
    ['no file', { input_file_id: undefined }, 'missing_required_parameter', 'input_file_id'],
    ['a number as metadata', { metadata: { a: 1 } }, 'invalid_type', 'metadata.a'],
  ])('for %s names code and parameter', async (_, change, code, param) => {
    const body = { ...request, ...change } as unknown as OpenAI.BatchCreateParams;
    const error: unknown = await client.batches.create(body).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({
      status: 400,
      code,
      param,
      type: 'invalid_request_error',
      requestID: expect.stringMatching(/\S/),
    });
  });

  it('has the class of its status', async () => {
    const stranger = new OpenAI({ baseURL: stack().baseUrl, apiKey: 'sk-somebody-elses-key-0000' });
    await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError);
    await expect(client.batches.retrieve('batch_x')).rejects.toThrow(OpenAI.NotFoundError);
    await expect(client.models.retrieve('gpt-nope')).rejects.toMatchObject({
      code: 'model_not_found',
    });
  });

  it('that is a conflict is not repeated', async () => {
    const { id } = await waitForEnd(client, (await createBatch(client, chatLines(1))).id);
    const started = performance.now();
    await expect(client.batches.cancel(id)).rejects.toThrow(OpenAI.ConflictError);
    // Two repeats with the client's own pauses would take more than a second.
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('a request whose answer is lost', () => {
  const create = /^POST \/v1\/batches HTTP/;
  const kinds = {
    withKey: create,
    withoutKey: create,
    complete: /^POST \/v1\/uploads\/\w+\/complete /,
  };
  let ways: LossyWays<keyof typeof kinds>;
  const clientOn = (way: keyof typeof kinds): OpenAI =>
    clientOf({ baseUrl: ways.urls[way], apiKey: stack().apiKey });

  beforeAll(async () => {
    ways = await openLossyWays(stack().baseUrl, kinds);
  });
  afterAll(async () => {
    await ways.close();
  });

  it.each([
    ['withKey', { headers: { 'Idempotency-Key': 'one for this test' } }],
    ['withoutKey', {}],
  ] as const)('is repeated, and one batch is made (%s)', async (way, options) => {
    const { id: fileId } = await newFile();
    const body = {
      input_file_id: fileId,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    } as const;
    const { id } = await clientOn(way).batches.create(body, options);
    const { data } = await client.batches.list();
    const made = data.filter((batch) => batch.input_file_id === fileId);
    expect(made.map((batch) => batch.id)).toEqual([id]);
    expect((await waitForEnd(client, id)).status).toBe('completed');
  });

  it('is repeated, and one file is made of an upload', async () => {
    const upload = await client.uploads.create({
      purpose: 'user_data',
      filename: 'once.txt',
      bytes: 4,
      mime_type: 'text/plain',
    });
    const part = await client.uploads.parts.create(upload.id, {
      data: await toFile(Buffer.from('text')),
    });
    const body = { part_ids: [part.id] };
    const { file } = await clientOn('complete').uploads.complete(upload.id, body);
    const { data } = await client.files.list({ purpose: 'user_data' });
    expect(data).toEqual([file]);
  });

  it('was lost on each of these ways', () => {
    expect(ways.unused()).toEqual([]);
  });
});
