/** What users do, with the official client and with curl, against the running system. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI, { toFile } from 'openai';
import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';

const run = promisify(execFile);
const stack = useStack();
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

async function curl(path: string, ...args: string[]): Promise<{ status: number; body: string }> {
  const { stdout } = await run('curl', [
    '--silent',
    '--show-error',
    '--write-out',
    '\n%{http_code}',
    ...args,
    `${stack().baseUrl}${path}`,
  ]);
  const end = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) };
}

const withKey = (): string[] => ['--header', `Authorization: Bearer ${stack().apiKey}`];

async function uploaded(count = 2): Promise<OpenAI.FileObject> {
  const content = Buffer.from(chatLines(count).join('\n'));
  return await client.files.create({
    file: await toFile(content, 'requests.jsonl'),
    purpose: 'batch',
  });
}

describe('files through the official client', () => {
  it('are uploaded, listed, retrieved, downloaded and deleted', async () => {
    const file = await uploaded();
    expect(file).toMatchObject({
      object: 'file',
      purpose: 'batch',
      filename: 'requests.jsonl',
      status: 'processed',
    });
    expect((file.expires_at ?? 0) - file.created_at).toBe(30 * 86_400);
    expect(await client.files.retrieve(file.id)).toEqual(file);
    expect((await client.files.list({ limit: 1 })).data).toEqual([file]);
    const content = await (await client.files.content(file.id)).text();
    expect(content).toBe(chatLines(2).join('\n'));
    expect(Buffer.byteLength(content)).toBe(file.bytes);
    expect(await client.files.delete(file.id)).toEqual({
      id: file.id,
      object: 'file',
      deleted: true,
    });
    await expect(client.files.retrieve(file.id)).rejects.toThrow(OpenAI.NotFoundError);
    await expect(client.files.content(file.id)).rejects.toThrow(OpenAI.NotFoundError);
  });

  it('are paged through, newest first, each once', async () => {
    const files = [await uploaded(), await uploaded(), await uploaded()];
    const seen: string[] = [];
    for await (const file of client.files.list({ limit: 2, purpose: 'batch' })) {
      seen.push(file.id);
    }
    expect(seen.slice(0, 3)).toEqual(files.map(({ id }) => id).reverse());
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('batches through the official client', () => {
  it('have every field from the start to the end', async () => {
    const created = await createBatch(client, chatLines(3));
    const ended = await waitForEnd(client, created.id);
    const fields = [
      'cancelled_at',
      'cancelling_at',
      'completed_at',
      'completion_window',
      'created_at',
      'endpoint',
      'error_file_id',
      'errors',
      'expired_at',
      'expires_at',
      'failed_at',
      'finalizing_at',
      'id',
      'in_progress_at',
      'input_file_id',
      'metadata',
      'model',
      'object',
      'output_file_id',
      'request_counts',
      'status',
      'usage',
    ];
    expect(Object.keys(created).toSorted()).toEqual(fields);
    expect(Object.keys(ended).toSorted()).toEqual(fields);
    expect(ended).toMatchObject({ status: 'completed', model: 'longhaul-demo-model' });
    const times = [
      ended.created_at,
      ended.in_progress_at,
      ended.finalizing_at,
      ended.completed_at,
    ].map(Number);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it('are listed newest first, and each once over pages', async () => {
    const made = [
      await createBatch(client, chatLines(1)),
      await createBatch(client, chatLines(1)),
      await createBatch(client, chatLines(1)),
    ];
    const seen: string[] = [];
    for await (const batch of client.batches.list({ limit: 2 })) {
      seen.push(batch.id);
    }
    expect(seen.slice(0, 3)).toEqual(made.map(({ id }) => id).reverse());
    expect(new Set(seen).size).toBe(seen.length);
    await Promise.all(made.map(async ({ id }) => await waitForEnd(client, id)));
  });
});

describe('models', () => {
  it('are those of the upstreams file', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual(['longhaul-demo-model']);
    expect(await client.models.retrieve('longhaul-demo-model')).toEqual(data[0]);
  });
});

describe('errors, as the official client sees them', () => {
  it('have the class, type, code and parameter of OpenAI', async () => {
    const stranger = new OpenAI({ baseURL: stack().baseUrl, apiKey: 'sk-wrong-key-wrong-key' });
    await expect(stranger.models.list()).rejects.toMatchObject({
      status: 401,
      code: 'invalid_api_key',
      type: 'invalid_request_error',
    });
    await expect(client.batches.retrieve('batch_nope')).rejects.toMatchObject({
      status: 404,
      type: 'invalid_request_error',
      requestID: expect.any(String),
    });
    await expect(
      client.batches.create({
        input_file_id: 'file-x',
        endpoint: '/v1/nothing' as '/v1/embeddings',
        completion_window: '24h',
      }),
    ).rejects.toMatchObject({ status: 400, code: 'invalid_value', param: 'endpoint' });
  });
});

describe('curl', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  it('uploads a file, creates a batch and cancels it with an empty body', async () => {
    const path = join(folder, 'in.jsonl');
    writeFileSync(path, chatLines(2_000, (index) => `[[slow:500]] ${index}`).join('\n'));
    const file = await curl('/files', ...withKey(), '-F', 'purpose=batch', '-F', `file=@${path}`);
    expect(file.status).toBe(200);
    const { id: fileId } = JSON.parse(file.body) as { id: string };

    const request = JSON.stringify({
      input_file_id: fileId,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    const json = ['--header', 'Content-Type: application/json'];
    const batch = await curl('/batches', ...withKey(), ...json, '--data', request);
    expect(batch.status).toBe(200);
    const { id } = JSON.parse(batch.body) as { id: string };

    const cancel = await curl(`/batches/${id}/cancel`, ...withKey(), ...json, '--request', 'POST');
    expect(cancel.status).toBe(200);
    expect(JSON.parse(cancel.body)).toMatchObject({ id, object: 'batch', status: 'cancelling' });
    expect((await waitForEnd(client, id)).status).toBe('cancelled');
  });

  it.each([
    ['an unknown route', 404, '/nothing/here', []],
    ['no key', 401, '/batches', ['no key']],
    ['a broken body', 400, '/batches', ['--data', '{"a":', '-H', 'Content-Type: application/json']],
    ['a form without a file', 400, '/files', ['-F', 'purpose=batch']],
  ])('gets JSON for %s', async (_, status, path, args) => {
    const answer = await curl(path, ...(args[0] === 'no key' ? [] : [...withKey(), ...args]));
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toEqual({
      error: {
        message: expect.any(String),
        type: 'invalid_request_error',
        param: status === 400 && path === '/files' ? 'file' : null,
        code: path === '/files' ? 'missing_required_parameter' : null,
      },
    });
  });
});
