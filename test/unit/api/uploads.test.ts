import { createHash } from 'node:crypto';
import type OpenAI from 'openai';
import { toFile } from 'openai';
import { toUploadWire } from '../../../src/api/uploads/upload.wire';
import { defaultProjectId, type UploadId } from '../../../src/domain/ids';
import type { UploadRecord } from '../../../src/domain/upload';
import { StoreFault } from '../../../src/storage/object-store';
import { errorOf } from './api-under-test';
import { startedAt, UploadWorld } from './upload-world';
import { withoutNulls } from './without-nulls';

const line = '{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"small"}}\n';

let world: UploadWorld;
beforeEach(async () => {
  world = await UploadWorld.start();
});
afterEach(async () => {
  await world.api.close();
});

function md5Of(text: string): string {
  return createHash('md5').update(text).digest('hex');
}

test('the wire object is what the official types say', () => {
  const upload: UploadRecord = {
    id: 'upload_1',
    projectId: 'p',
    status: 'completed',
    bytes: 1,
    createdAt: 2,
    expiresAt: 3,
    filename: 'a',
    purpose: 'batch',
    fileExpiresAfterSeconds: 4,
    completion: { partIds: [], fileId: 'file-1', at: 5 },
  };
  const { file, ...wire } = toUploadWire(upload);
  const oracle: OpenAI.Upload = wire;
  expect(oracle).toEqual({
    id: 'upload_1',
    object: 'upload',
    bytes: 1,
    created_at: 2,
    expires_at: 3,
    filename: 'a',
    purpose: 'batch',
    status: 'completed',
  });
  expect(withoutNulls({ ...file })).toMatchObject({ id: 'file-1', created_at: 5, expires_at: 9 });
});

describe('an upload', () => {
  test('is open for an hour', async () => {
    expect(await world.anUpload(10)).toEqual({
      id: expect.stringMatching(/^upload_[0-9a-f]{32}$/),
      object: 'upload',
      bytes: 10,
      created_at: startedAt,
      expires_at: startedAt + 3_600,
      filename: 'in.jsonl',
      purpose: 'batch',
      status: 'pending',
      file: null,
    });
  });

  test('becomes a file of its parts in the order of their ids', async () => {
    const { id } = await world.anUpload(9, { filename: '/home/me/in.jsonl' });
    const [third = '', first = '', second = ''] = await world.addParts(id, 'ghi', 'abc', 'def');
    const upload = await world.api.client.uploads.complete(id, {
      part_ids: [first, second, third],
    });
    expect(upload).toMatchObject({
      id,
      status: 'completed',
      file: {
        object: 'file',
        bytes: 9,
        created_at: startedAt,
        expires_at: startedAt + 2_592_000,
        filename: 'in.jsonl',
        purpose: 'batch',
        status: 'processed',
      },
    });
    const fileId = upload.file?.id ?? '';
    expect(await world.api.client.files.retrieve(fileId)).toEqual(upload.file);
    expect(await (await world.api.client.files.content(fileId)).text()).toBe('abcdefghi');
    expect(await world.partKeys()).toEqual([]);
  });

  test('answers a part with its id and time', async () => {
    const { id } = await world.anUpload(3);
    const data = await toFile(Buffer.from('abc'), 'upload');
    expect(await world.api.client.uploads.parts.create(id, { data })).toEqual({
      id: expect.stringMatching(/^part_[0-9a-f]{32}$/),
      object: 'upload.part',
      created_at: startedAt,
      upload_id: id,
    });
  });

  test('takes parts at the same time', async () => {
    const contents = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index));
    const { id } = await world.anUpload(20);
    const ids = await Promise.all(
      contents.map(async (content) => await world.addPart(id, content)),
    );
    const { file } = await world.api.client.uploads.complete(id, { part_ids: ids });
    const content = await world.api.client.files.content(file?.id ?? '');
    expect(await content.text()).toBe(contents.join(''));
  });

  test('leaves out parts that are not named', async () => {
    const { id } = await world.anUpload(3);
    const [, kept = ''] = await world.addParts(id, 'abc', 'def');
    const { file } = await world.api.client.uploads.complete(id, { part_ids: [kept] });
    expect(await world.contentOf(file?.id)).toBe('def');
    expect(await world.partKeys()).toEqual([]);
  });

  test('says when the file expires, counted from the file', async () => {
    const { id } = await world.anUpload(3, {
      expires_after: { anchor: 'created_at', seconds: 3_600 },
    });
    const part_ids = await world.addParts(id, 'abc');
    world.api.clock.nowMs += 600_000;
    const { file } = await world.api.client.uploads.complete(id, { part_ids });
    expect(file).toMatchObject({ created_at: startedAt + 600, expires_at: startedAt + 4_200 });
  });

  test('keeps what is no batch input until it is deleted', async () => {
    const { id } = await world.anUpload(3, { purpose: 'user_data', filename: 'notes.txt' });
    const part_ids = await world.addParts(id, 'abc');
    const { file } = await world.api.client.uploads.complete(id, { part_ids });
    expect(file).toMatchObject({ purpose: 'user_data', expires_at: null });
  });

  test('is checked against an md5 in any case', async () => {
    const { id } = await world.anUpload(6);
    const part_ids = await world.addParts(id, 'abc', 'def');
    const wrong = await world.post(`/${id}/complete`, { part_ids, md5: md5Of('defabc') });
    expect(wrong.status).toBe(400);
    expect(errorOf(wrong)).toEqual({
      message: `Invalid 'md5': the parts in this order have the checksum ${md5Of('abcdef')}.`,
      type: 'invalid_request_error',
      param: 'md5',
      code: 'invalid_value',
    });
    const right = await world.post(`/${id}/complete`, {
      part_ids,
      md5: md5Of('abcdef').toUpperCase(),
    });
    expect(right.json()).toMatchObject({ status: 'completed' });
  });

  test.each([
    ['upload', line, 200],
    ['notes.txt', `\r\n \n${line}`, 200],
    ['IN.JSONL', 'a,b', 200],
    ['notes.txt', 'a,b', 400],
    ['notes.txt', '\n\n', 400],
  ])('named "%s" with %j is answered for a batch with %i', async (filename, content, status) => {
    const { id } = await world.anUpload(content.length, { filename });
    const part_ids = await world.addParts(id, content);
    const answer = await world.post(`/${id}/complete`, { part_ids });
    expect(answer.status).toBe(status);
    expect(await world.partKeys()).toHaveLength(status === 200 ? 0 : 1);
  });
});

describe('a complete that is repeated', () => {
  test('answers the same', async () => {
    const { id } = await world.anUpload(6);
    const part_ids = await world.addParts(id, 'abc', 'def');
    const first = await world.post(`/${id}/complete`, { part_ids });
    expect((await world.post(`/${id}/complete`, { part_ids })).json()).toEqual(first.json());
    const other = await world.post(`/${id}/complete`, { part_ids: part_ids.toReversed() });
    expect(other.status).toBe(400);
    expect(errorOf(other).message).toBe(`The upload ${id} is completed, no longer pending.`);
    expect((await world.api.client.files.list()).data).toHaveLength(1);
  });

  test('while the first still runs makes one file', async () => {
    const { id } = await world.anUpload(6);
    const part_ids = await world.addParts(id, 'abc', 'def');
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => await world.post(`/${id}/complete`, { part_ids })),
    );
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers[0]?.status).toBe(200);
    expect((await world.api.client.files.list()).data).toHaveLength(1);
    expect(await world.partKeys()).toEqual([]);
  });

  test('after the store went away goes on where it was', async () => {
    const { id } = await world.anUpload(6);
    const part_ids = await world.addParts(id, 'abc', 'def');
    world.store.beforeConcatenate = async () => {
      await Promise.reject(new StoreFault('the store is down'));
    };
    const first = await world.post(`/${id}/complete`, { part_ids });
    expect([first.status, first.headers['retry-after']]).toEqual([503, '5']);
    for (const [path, body] of [
      ['complete', { part_ids: part_ids.toReversed() }],
      ['cancel', {}],
    ] as const) {
      const answer = await world.post(`/${id}/${path}`, body);
      expect(answer.status).toBe(400);
      expect(errorOf(answer).message).toBe(
        `The upload ${id} is being completed, no longer pending.`,
      );
    }
    world.store.beforeConcatenate = async () => {
      await Promise.resolve();
    };
    world.api.clock.nowMs += 3_600_000;
    const { file } = await world.api.client.uploads.complete(id, { part_ids });
    expect(file).toMatchObject({ bytes: 6, created_at: startedAt });
    expect(await world.contentOf(file?.id)).toBe('abcdef');
  });

  test('does not bring back a file that was deleted meanwhile', async () => {
    const { id } = await world.anUpload(3);
    const part_ids = await world.addParts(id, 'abc');
    let isFirst = true;
    world.store.beforeConcatenate = async () => {
      if (isFirst) {
        isFirst = false;
        const { file } = await world.api.client.uploads.complete(id, { part_ids });
        await world.api.client.files.delete(file?.id ?? '');
        await addLatePart(id, part_ids[0] ?? '');
      }
    };
    expect((await world.post(`/${id}/complete`, { part_ids })).json()).toMatchObject({
      status: 'completed',
    });
    expect((await world.store.list(`projects/${defaultProjectId}/files/`)).items).toEqual([]);
  });

  /** As if the slower of the two had read the part before the faster one removed it. */
  async function addLatePart(uploadId: string, partId: string): Promise<void> {
    const prefix = `projects/${defaultProjectId}/uploads/${uploadId}/parts/`;
    await world.store.put(`${prefix}${partId}`, Buffer.from('abc'));
  }
});

describe('the sweep', () => {
  const daySeconds = 86_400;

  async function sweep(id: string, afterSeconds: number): Promise<boolean> {
    return await world.api.uploads.sweep(
      defaultProjectId,
      id as UploadId,
      startedAt + afterSeconds,
    );
  }

  async function storedKeys(): Promise<string[]> {
    const { items } = await world.store.list(`projects/${defaultProjectId}/`);
    return items.map(({ key }) => key);
  }

  test('is on the agenda before the upload exists', async () => {
    const { id } = await world.anUpload(3);
    const { items } = await world.store.list('agenda/');
    expect(items.map(({ key }) => key.split('/').slice(1))).toEqual([
      [String(startedAt + 7_200).padStart(12, '0'), defaultProjectId, id],
    ]);
  });

  test('removes an upload that was left, but not before its grace is over', async () => {
    const { id } = await world.anUpload(3);
    await world.addPart(id, 'abc');
    expect(await sweep(id, 7_199)).toBe(false);
    expect(await world.partKeys()).toHaveLength(1);
    expect(await sweep(id, 7_200)).toBe(true);
    expect(await storedKeys()).toEqual([]);
    expect(await sweep(id, 7_200)).toBe(true);
    expect((await world.post(`/${id}/cancel`)).status).toBe(404);
  });

  test('leaves the file of a completed upload', async () => {
    const { id } = await world.anUpload(3);
    const part_ids = await world.addParts(id, 'abc');
    const { file } = await world.api.client.uploads.complete(id, { part_ids });
    expect(await sweep(id, 7_200)).toBe(true);
    expect((await storedKeys()).filter((key) => key.includes(id))).toEqual([]);
    expect(await world.contentOf(file?.id)).toBe('abc');
  });

  test('waits for who is completing, and cleans up after who died', async () => {
    const { id } = await world.anUpload(3);
    const part_ids = await world.addParts(id, 'abc');
    world.api.clock.nowMs += 3_000_000;
    let died: (() => void) | undefined;
    world.store.beforeConcatenate = async () => {
      await new Promise<void>((resolve) => {
        died = resolve;
        world.store.writes.write('concatenating');
      });
      throw new StoreFault('the process dies');
    };
    const answer = world.post(`/${id}/complete`, { part_ids });
    for await (const event of world.store.writes) {
      if (event === 'concatenating') {
        break;
      }
    }
    expect(await sweep(id, 7_200)).toBe(false);
    expect(await world.partKeys()).toHaveLength(1);
    died?.();
    expect((await answer).status).toBe(503);
    expect(await sweep(id, daySeconds)).toBe(true);
    expect((await storedKeys()).filter((key) => key.includes(id))).toEqual([]);
  });

  test('lets nobody complete an upload that it has given up', async () => {
    const { id } = await world.anUpload(3);
    const part_ids = await world.addParts(id, 'abc');
    world.store.afterConcatenate = async () => {
      expect(await sweep(id, daySeconds)).toBe(true);
    };
    expect((await world.post(`/${id}/complete`, { part_ids })).status).toBe(404);
    expect((await world.api.client.files.list()).data).toEqual([]);
  });
});
