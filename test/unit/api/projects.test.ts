import { createHash, randomBytes } from 'node:crypto';
import OpenAI from 'openai';
import { makeApiKey } from '../../../src/domain/project';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { ProjectStore } from '../../../src/storage/project-store';
import { errorOf, send, startApi, type ApiUnderTest } from './api-under-test';

const store = new MemoryObjectStore();
const projects = new ProjectStore(store);
let api: ApiUnderTest;

beforeAll(async () => {
  api = await startApi({ store });
});

afterAll(async () => {
  await api.close();
});

async function keyOf(projectId: string): Promise<{ readonly id: string; readonly key: string }> {
  const made = makeApiKey(() => randomBytes(20).toString('hex'));
  const sha256 = createHash('sha256').update(made.key).digest('hex');
  await projects.putKey({ id: made.id, projectId, name: '', sha256, createdAt: 0 });
  return made;
}

function clientWith(apiKey: string): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${api.url}/v1`, maxRetries: 0 });
}

async function filesStatus(authorization: string): Promise<number> {
  const answer = await send(api.url, { path: '/v1/files', headers: { authorization } });
  return answer.status;
}

describe('a key', () => {
  it('works with and without the word Bearer', async () => {
    const { key } = await keyOf('team-a');
    expect(await filesStatus(`Bearer ${key}`)).toBe(200);
    expect(await filesStatus(`bearer  ${key}`)).toBe(200);
    expect(await filesStatus(key)).toBe(200);
  });

  it('of a project is one of several', async () => {
    const [one, two] = [await keyOf('team-b'), await keyOf('team-b')];
    const file = await clientWith(one.key).files.create({
      file: new File(['{}\n'], 'in.jsonl'),
      purpose: 'batch',
    });
    expect((await clientWith(two.key).files.retrieve(file.id)).id).toBe(file.id);
  });

  it('is refused from the moment that it is revoked', async () => {
    const { id, key } = await keyOf('team-a');
    expect(await filesStatus(`Bearer ${key}`)).toBe(200);
    await projects.deleteKey(id);
    const answer = await send(api.url, {
      path: '/v1/files',
      headers: { authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(401);
    expect(errorOf(answer)).toMatchObject({ code: 'invalid_api_key' });
    expect(answer.text).not.toContain(key);
  });

  it('with the id of another and a secret of its own is refused', async () => {
    const { key } = await keyOf('team-a');
    expect(await filesStatus(`Bearer ${key.slice(0, -40)}${'0'.repeat(40)}`)).toBe(401);
    expect(await filesStatus(`Bearer ${key}0`)).toBe(401);
    expect(await filesStatus('Bearer sk-longhaul-../../x')).toBe(401);
  });
});

describe("another project's objects", () => {
  it('are not found, in the same words as what never was', async () => {
    const [owner, stranger] = [await keyOf('owner'), await keyOf('stranger')];
    const client = clientWith(owner.key);
    const file = await client.files.create({
      file: new File(['{}\n'], 'in.jsonl'),
      purpose: 'batch',
    });
    const batch = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    const never = { file: `file-${'f'.repeat(32)}`, batch: `batch_${'f'.repeat(32)}` };
    const headers = { authorization: `Bearer ${stranger.key}` };
    const paths = [
      ['GET', (ids) => `/v1/files/${ids.file}`],
      ['GET', (ids) => `/v1/files/${ids.file}/content`],
      ['DELETE', (ids) => `/v1/files/${ids.file}`],
      ['GET', (ids) => `/v1/batches/${ids.batch}`],
      ['POST', (ids) => `/v1/batches/${ids.batch}/cancel`],
    ] satisfies [string, (ids: { file: string; batch: string }) => string][];
    for (const [method, pathOf] of paths) {
      const theirs = await send(api.url, {
        method,
        path: pathOf({ file: file.id, batch: batch.id }),
        headers,
      });
      const none = await send(api.url, { method, path: pathOf(never), headers });
      expect(theirs.status).toBe(404);
      expect(theirs.text.replace(file.id, never.file).replace(batch.id, never.batch)).toBe(
        none.text,
      );
    }
    expect((await client.files.retrieve(file.id)).id).toBe(file.id);
  });

  it('are not found as uploads either', async () => {
    const [owner, stranger] = [await keyOf('uploader'), await keyOf('stranger')];
    const mine = clientWith(owner.key).uploads;
    const theirs = clientWith(stranger.key).uploads;
    const { id } = await mine.create({
      bytes: 3,
      filename: 'in.jsonl',
      mime_type: 'application/jsonl',
      purpose: 'batch',
    });
    const part = await mine.parts.create(id, { data: new File(['{}\n'], 'upload') });
    const notFound = { status: 404, message: `404 No such Upload object: ${id}` };
    const data = new File(['{}\n'], 'upload');
    await expect(theirs.parts.create(id, { data })).rejects.toMatchObject(notFound);
    await expect(theirs.complete(id, { part_ids: [part.id] })).rejects.toMatchObject(notFound);
    await expect(theirs.cancel(id)).rejects.toMatchObject(notFound);
    const { file } = await mine.complete(id, { part_ids: [part.id] });
    const files = clientWith(stranger.key).files;
    await expect(files.retrieve(file?.id ?? '')).rejects.toMatchObject({ status: 404 });
  });

  it('are in no list, and their files feed no batch', async () => {
    const [owner, stranger] = [await keyOf('lister'), await keyOf('reader')];
    const file = await clientWith(owner.key).files.create({
      file: new File(['{}\n'], 'in.jsonl'),
      purpose: 'batch',
    });
    const client = clientWith(stranger.key);
    expect((await client.files.list()).data).toEqual([]);
    expect((await client.batches.list()).data).toEqual([]);
    await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    });
    expect(api.runner.started.at(-1)?.batch).toMatchObject({ projectId: 'reader' });
    const uses = await store.list(`projects/lister/files/${file.id}/uses/`);
    expect(uses.items).toEqual([]);
  });
});

test('without any key everybody is the default project', async () => {
  const open = await startApi({ settings: { key: undefined, isOpen: true } });
  try {
    const answer = await send(open.url, { path: '/v1/files', headers: { authorization: '' } });
    expect(answer.status).toBe(200);
  } finally {
    await open.close();
  }
});
