/**
 * Every endpoint that OpenAI documents for batches, files, uploads and models, called as its
 * documentation says, with curl: its status, its headers and the exact fields of its answer.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { demoModel } from '../../scripts/local/upstream-choice';
import { useStack } from '../support/local-stack';
import { curl, curlOf, withJson, type Curl, type CurlAnswer } from './support/curl';
import {
  anyProgress,
  batchOnWire,
  errorOnWire,
  fileOnWire,
  listOnWire,
  modelOnWire,
  uploadOnWire,
} from './support/wire';

/** OpenAI API reference: Batch, Files, Uploads and Models. */
const endpoints = [
  'POST /files',
  'GET /files',
  'GET /files/{file_id}',
  'DELETE /files/{file_id}',
  'GET /files/{file_id}/content',
  'POST /uploads',
  'POST /uploads/{upload_id}/parts',
  'POST /uploads/{upload_id}/complete',
  'POST /uploads/{upload_id}/cancel',
  'POST /batches',
  'GET /batches',
  'GET /batches/{batch_id}',
  'POST /batches/{batch_id}/cancel',
  'GET /models',
  'GET /models/{model}',
  'DELETE /models/{model}',
] as const;
type Endpoint = (typeof endpoints)[number];

const text = chatLines(2).join('\n');
const stack = useStack();
let client: OpenAI;
let call: Curl;
let folder: string;
let path: string;

beforeAll(() => {
  client = clientOf(stack());
  call = curlOf(stack());
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  path = join(folder, 'requests.jsonl');
  writeFileSync(path, text);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function newFile(): Promise<string> {
  const answer = await call('/files', '-F', 'purpose=batch', '-F', `file=@${path}`);
  return (answer.json() as { id: string }).id;
}

async function newUpload(bytes = text.length): Promise<string> {
  const body = { purpose: 'batch', filename: 'requests.jsonl', bytes, mime_type: 'text/jsonl' };
  return ((await call('/uploads', ...withJson(body))).json() as { id: string }).id;
}

async function newPart(uploadId: string): Promise<string> {
  const answer = await call(`/uploads/${uploadId}/parts`, '-F', `data=@${path}`);
  return (answer.json() as { id: string }).id;
}

function expectOk(answer: CurlAnswer, body: unknown): void {
  expect(answer.json()).toEqual(body);
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toMatch(/^application\/json/);
  expect(answer.headers['x-request-id']).toMatch(/\S/);
}

/** The compiler sees to it that none is left out. */
const checks: Readonly<Record<Endpoint, () => Promise<void>>> = {
  'POST /files': createsFile,
  'GET /files': listsFiles,
  'GET /files/{file_id}': retrievesFile,
  'DELETE /files/{file_id}': deletesFile,
  'GET /files/{file_id}/content': sendsContent,
  'POST /uploads': createsUpload,
  'POST /uploads/{upload_id}/parts': addsPart,
  'POST /uploads/{upload_id}/complete': completesUpload,
  'POST /uploads/{upload_id}/cancel': cancelsUpload,
  'POST /batches': createsBatch,
  'GET /batches': listsBatches,
  'GET /batches/{batch_id}': retrievesBatch,
  'POST /batches/{batch_id}/cancel': cancelsBatch,
  'GET /models': listsModels,
  'GET /models/{model}': retrievesModel,
  'DELETE /models/{model}': refusesToDeleteModel,
};

test.each(endpoints)('%s', async (endpoint) => {
  await expect(checks[endpoint]()).resolves.toBeUndefined();
});

test('are sixteen', () => {
  expect(new Set(endpoints).size).toBe(16);
});

describe.each(endpoints)('%s', (endpoint) => {
  it('wants a key', async () => {
    const [method = '', template = ''] = endpoint.split(' ');
    const answer = await curl(`${stack().baseUrl}${template}`, '-X', method);
    expect([answer.status, answer.json()]).toEqual([401, errorOnWire()]);
    expect(answer.headers['x-request-id']).toMatch(/\S/);
  });
});

test.each(endpoints.filter((endpoint) => endpoint.includes('{')))(
  '%s does not know another id',
  async (endpoint) => {
    const [method = '', template = ''] = endpoint.split(' ');
    const unknown = template.replace(/\{\w+\}/, 'batch_..%2F..%2Fetc%2Fpasswd');
    const answer = await call(unknown, '-X', method, ...bodyOf(template));
    const error: unknown = expect.objectContaining({ type: 'invalid_request_error' });
    expect(answer.json()).toEqual({ error });
    expect(answer.status).toBe(endpoint === 'DELETE /models/{model}' ? 405 : 404);
  },
);

/** One that is good, so that nothing but the id is wrong. */
function bodyOf(template: string): string[] {
  if (template.endsWith('/parts')) {
    return ['-F', `data=@${path}`];
  }
  return template.endsWith('/complete') ? withJson({ part_ids: [`part_${'0'.repeat(32)}`] }) : [];
}

async function createsFile(): Promise<void> {
  const fields = ['purpose=batch', `file=@${path}`, 'expires_after[anchor]=created_at'];
  const form = [...fields, 'expires_after[seconds]=7200'].flatMap((field) => ['-F', field]);
  const answer = await call('/files', ...form);
  expectOk(answer, fileOnWire({ bytes: text.length }));
  const file = answer.json() as OpenAI.FileObject;
  expect((file.expires_at ?? 0) - file.created_at).toBe(7_200);
}

async function listsFiles(): Promise<void> {
  const ids = [await newFile(), await newFile()];
  const answer = await call('/files?limit=1&order=desc&purpose=batch');
  expectOk(answer, listOnWire([fileOnWire({ id: ids[1] })], true));
  const next = await call(`/files?limit=1&after=${ids[1] ?? ''}`);
  expect(next.json()).toMatchObject({ data: [{ id: ids[0] }], first_id: ids[0] });
  const all = (await call('/files')).json() as { data: unknown[]; has_more: boolean };
  expect(all.data.length).toBeGreaterThan(1);
  expect(all.has_more).toBe(false);
}

async function retrievesFile(): Promise<void> {
  const id = await newFile();
  expectOk(await call(`/files/${id}`), fileOnWire({ id, bytes: text.length }));
}

async function deletesFile(): Promise<void> {
  const id = await newFile();
  const remove = async (): Promise<CurlAnswer> => await call(`/files/${id}`, '-X', 'DELETE');
  expectOk(await remove(), { id, object: 'file', deleted: true });
  const again = await remove();
  expect([again.status, again.json()]).toEqual([404, errorOnWire(null, 'id')]);
}

async function sendsContent(): Promise<void> {
  const answer = await call(`/files/${await newFile()}/content`);
  expect(answer.body.toString('utf8')).toBe(text);
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({
    'content-type': 'application/octet-stream',
    'content-length': String(text.length),
    'content-disposition': expect.stringContaining('requests.jsonl'),
    'x-request-id': expect.any(String),
  });
}

async function createsUpload(): Promise<void> {
  const fields = { purpose: 'batch', filename: 'requests.jsonl', mime_type: 'text/jsonl' };
  const answer = await call('/uploads', ...withJson({ ...fields, bytes: 2_147_483_648 }));
  expectOk(answer, uploadOnWire({ bytes: 2_147_483_648 }));
  const upload = answer.json() as OpenAI.Upload;
  expect(upload.expires_at - upload.created_at).toBe(3_600);
}

async function addsPart(): Promise<void> {
  const uploadId = await newUpload();
  expectOk(await call(`/uploads/${uploadId}/parts`, '-F', `data=@${path}`), {
    id: expect.stringMatching(/^part_\w{22,}$/),
    object: 'upload.part',
    created_at: expect.any(Number),
    upload_id: uploadId,
  });
}

async function completesUpload(): Promise<void> {
  const uploadId = await newUpload();
  const body = { part_ids: [await newPart(uploadId)] };
  const answer = await call(`/uploads/${uploadId}/complete`, ...withJson(body));
  const file = fileOnWire({ bytes: text.length });
  expectOk(answer, uploadOnWire({ id: uploadId, status: 'completed', file }));
  const fileId = (answer.json() as OpenAI.Upload).file?.id ?? '';
  expect((await call(`/files/${fileId}/content`)).body.toString('utf8')).toBe(text);
}

async function cancelsUpload(): Promise<void> {
  const uploadId = await newUpload();
  const answer = await call(`/uploads/${uploadId}/cancel`, '-X', 'POST');
  expectOk(answer, uploadOnWire({ id: uploadId, status: 'cancelled' }));
  const late = await call(`/uploads/${uploadId}/parts`, '-F', `data=@${path}`);
  expect(late.status).toBe(400);
}

async function createsBatch(): Promise<void> {
  const fileId = await newFile();
  const body = {
    input_file_id: fileId,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata: { job: 'nightly' },
    output_expires_after: { anchor: 'created_at', seconds: 3_600 },
  };
  const answer = await call('/batches', ...withJson(body));
  expectOk(answer, batchOnWire({ input_file_id: fileId, metadata: { job: 'nightly' } }));
  const batch = answer.json() as OpenAI.Batch;
  expect((batch.expires_at ?? 0) - batch.created_at).toBe(86_400);
  await waitForEnd(client, batch.id);
}

async function listsBatches(): Promise<void> {
  const older = await waitForEnd(client, (await createBatch(client, [text])).id);
  const newer = await waitForEnd(client, (await createBatch(client, [text])).id);
  expectOk(await call('/batches?limit=1'), listOnWire([newer], true));
  const next = await call(`/batches?limit=1&after=${newer.id}`);
  expect(next.json()).toMatchObject({ data: [older], first_id: older.id, last_id: older.id });
  expect((await call('/batches?after=batch_nothing')).json()).toEqual(listOnWire([], false));
}

async function retrievesBatch(): Promise<void> {
  const { id } = await waitForEnd(client, (await createBatch(client, [text])).id);
  expectOk(
    await call(`/batches/${id}`),
    batchOnWire({
      id,
      ...anyProgress,
      status: 'completed',
      model: demoModel,
      request_counts: { total: 2, completed: 2, failed: 0 },
    }),
  );
}

async function cancelsBatch(): Promise<void> {
  const lines = chatLines(200, (index) => `[[slow:400]] ${index}`);
  const { id } = await createBatch(client, lines);
  const answer = await call(`/batches/${id}/cancel`, '-X', 'POST');
  expect(answer.status).toBe(200);
  expect(answer.json()).toMatchObject({
    id,
    object: 'batch',
    status: 'cancelling',
    cancelling_at: expect.any(Number),
    output_file_id: null,
    error_file_id: null,
  });
  expect((await waitForEnd(client, id)).status).toBe('cancelled');
}

async function listsModels(): Promise<void> {
  expectOk(await call('/models'), { object: 'list', data: [modelOnWire()] });
}

async function retrievesModel(): Promise<void> {
  expectOk(await call(`/models/${demoModel}`), modelOnWire());
  const unknown = await call('/models/gpt-nope');
  expect([unknown.status, unknown.json()]).toEqual([404, errorOnWire('model_not_found', 'model')]);
}

/** Only fine-tuned models can be deleted, and there are none here. */
async function refusesToDeleteModel(): Promise<void> {
  const answer = await call(`/models/${demoModel}`, '-X', 'DELETE');
  expect([answer.status, answer.json()]).toEqual([405, errorOnWire()]);
  expect(answer.headers['allow']).toBe('GET, HEAD');
}
