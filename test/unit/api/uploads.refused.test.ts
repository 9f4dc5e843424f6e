import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { apiKey, errorOf, send, testLimits } from './api-under-test';
import { multipart, multipartType, type Part } from './multipart';
import { dataPart, UploadWorld } from './upload-world';

let world: UploadWorld;
beforeEach(async () => {
  world = await UploadWorld.start();
});
afterEach(async () => {
  await world.api.close();
});

describe('an upload that is over', () => {
  async function assertOver(id: string, status: string): Promise<void> {
    const message = `The upload ${id} is ${status}, no longer pending.`;
    const part = await world.postPart(id, [dataPart('abc')]);
    expect([part.status, errorOf(part).message]).toEqual([400, message]);
    const complete = await world.post(`/${id}/complete`, { part_ids: [`part_${'0'.repeat(32)}`] });
    expect([complete.status, errorOf(complete).message]).toEqual([400, message]);
    expect(await world.partKeys()).toEqual([]);
  }

  test('as it is cancelled takes nothing more, and its parts are gone', async () => {
    const { id } = await world.anUpload(3);
    await world.addPart(id, 'abc');
    for (let count = 0; count < 2; count += 1) {
      expect(await world.api.client.uploads.cancel(id)).toMatchObject({
        status: 'cancelled',
        file: null,
      });
    }
    await assertOver(id, 'cancelled');
  });

  test('as it is completed takes nothing more', async () => {
    const { id } = await world.anUpload(3);
    await world.api.client.uploads.complete(id, { part_ids: await world.addParts(id, 'abc') });
    await assertOver(id, 'completed');
    expect(errorOf(await world.post(`/${id}/cancel`)).message).toBe(
      `The upload ${id} is completed, no longer pending.`,
    );
  });

  test('as its hour is over takes nothing more', async () => {
    const { id } = await world.anUpload(3);
    world.api.clock.nowMs += 3_600_000;
    await assertOver(id, 'expired');
    expect((await world.post(`/${id}/cancel`)).status).toBe(400);
  });

  test('refuses a part that was on its way', async () => {
    const { id } = await world.anUpload(3);
    world.store.afterStream = async () => {
      await world.api.client.uploads.cancel(id);
    };
    const answer = await world.postPart(id, [dataPart('abc')]);
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toBe(`The upload ${id} is cancelled, no longer pending.`);
    expect(await world.partKeys()).toEqual([]);
  });
});

describe('an upload is not opened', () => {
  const valid = { filename: 'a.jsonl', purpose: 'batch', bytes: 1, mime_type: 'application/jsonl' };

  test.each([
    [{ filename: undefined }, 'filename', 'missing_required_parameter'],
    [{ filename: '' }, 'filename', 'empty_string'],
    [{ filename: 'x'.repeat(256) }, 'filename', 'string_above_max_length'],
    [{ purpose: 'vector_store' }, 'purpose', 'invalid_value'],
    [{ purpose: undefined }, 'purpose', 'missing_required_parameter'],
    [{ mime_type: undefined }, 'mime_type', 'missing_required_parameter'],
    [{ bytes: undefined }, 'bytes', 'missing_required_parameter'],
    [{ bytes: '1' }, 'bytes', 'invalid_type'],
    [{ bytes: 1.5 }, 'bytes', 'invalid_type'],
    [{ bytes: 0 }, 'bytes', 'integer_below_min_value'],
    [{ bytes: 1_048_577 }, 'bytes', null],
    [
      { expires_after: { anchor: 'created_at' } },
      'expires_after.seconds',
      'missing_required_parameter',
    ],
    [
      { expires_after: { anchor: 'created_at', seconds: 1 } },
      'expires_after.seconds',
      'integer_below_min_value',
    ],
  ])('with %j', async (changes, param, code) => {
    const answer = await world.post('', { ...valid, ...changes });
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param, code });
    expect((await world.store.list('')).items).toEqual([]);
  });

  test('with a form', async () => {
    const answer = await send(world.api.url, {
      method: 'POST',
      path: '/v1/uploads',
      headers: multipartType,
      body: multipart([]),
    });
    expect(answer.status).toBe(415);
  });
});

describe('a complete is refused', () => {
  const unknown = `part_${'0'.repeat(32)}`;

  test.each<[string, (ids: readonly string[]) => unknown, string | null, string]>([
    [
      'without parts',
      () => ({}),
      'missing_required_parameter',
      "Missing required parameter: 'part_ids'.",
    ],
    [
      'for no parts',
      () => ({ part_ids: [] }),
      'empty_array',
      "Invalid 'part_ids': empty array. Expected an array with minimum length 1, but got an empty array instead.",
    ],
    [
      'for what is no list',
      () => ({ part_ids: 'all' }),
      'invalid_type',
      "Invalid type for 'part_ids': expected an array, but got a string instead.",
    ],
    [
      'for too many parts',
      () => ({ part_ids: new Array(10_001).fill(unknown) }),
      'array_above_max_length',
      "Invalid 'part_ids': array too long. Expected an array with maximum length 10000, but got an array with length 10001 instead.",
    ],
    [
      'for an unknown part',
      ([first]) => ({ part_ids: [first, unknown] }),
      'invalid_value',
      `Invalid 'part_ids': the upload has no part ${unknown}.`,
    ],
    [
      'for what is no id',
      () => ({ part_ids: ['../record.json'] }),
      'invalid_value',
      "Invalid 'part_ids': the upload has no part ../record.json.",
    ],
    [
      'for fewer bytes',
      ([first]) => ({ part_ids: [first] }),
      'invalid_value',
      "Invalid 'part_ids': the parts have 3 bytes in total, but the upload was created for 6 bytes.",
    ],
    [
      'with what is no md5',
      (ids) => ({ part_ids: ids, md5: 'abc' }),
      'invalid_value',
      "Invalid 'md5': expected 32 hexadecimal digits.",
    ],
  ])('%s, and can be repeated', async (_case, bodyOf, code, message) => {
    const { id } = await world.anUpload(6);
    const ids = await world.addParts(id, 'abc', 'def');
    const answer = await world.post(`/${id}/complete`, bodyOf(ids));
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ code, message });
    expect((await world.post(`/${id}/complete`, { part_ids: ids })).status).toBe(200);
  });

  test('for a part that is named twice', async () => {
    const { id } = await world.anUpload(6);
    const [first = ''] = await world.addParts(id, 'abc');
    const answer = await world.post(`/${id}/complete`, { part_ids: [first, first] });
    expect(errorOf(answer).message).toBe(`Invalid 'part_ids': the part ${first} is named twice.`);
  });

  test('for a part of another upload', async () => {
    const { id: other } = await world.anUpload(3);
    const part_ids = await world.addParts(other, 'abc');
    const { id } = await world.anUpload(3);
    expect((await world.post(`/${id}/complete`, { part_ids })).status).toBe(400);
  });
});

describe('a part is refused and leaves nothing behind:', () => {
  let id: string;
  beforeEach(async () => {
    ({ id } = await world.anUpload(100));
  });
  afterEach(async () => {
    expect(await world.partKeys()).toEqual([]);
  });

  test.each<[string, readonly Part[], string]>([
    ['no data', [], "Missing required parameter: 'data'."],
    ['data as text', [{ name: 'data', value: 'abc' }], "Missing required parameter: 'data'."],
    [
      'another name',
      [{ name: 'file', value: 'abc', filename: 'upload' }],
      "Missing required parameter: 'data'.",
    ],
    ['no bytes', [dataPart('')], 'The part is empty.'],
    [
      'two files',
      [dataPart('abc'), dataPart('abc')],
      'We could not parse the multipart form of your request: it has more than one file.',
    ],
    ['more bytes than the upload has', [dataPart(Buffer.alloc(101))], 'File is too large.'],
  ])('%s', async (_case, parts, message) => {
    const answer = await world.postPart(id, parts);
    expect([answer.status, errorOf(answer).message]).toEqual([400, message]);
  });

  test('JSON', async () => {
    expect((await world.post(`/${id}/parts`)).status).toBe(415);
  });

  test('it breaks off', async () => {
    const body = multipart([{ name: 'data', value: 'x'.repeat(90), filename: 'upload' }]);
    const answer = await send(world.api.url, {
      method: 'POST',
      path: `/v1/uploads/${id}/parts`,
      headers: multipartType,
      body: body.subarray(0, -60),
    });
    expect(answer.status).toBe(400);
  });

  test('the client goes away', async () => {
    const body = multipart([{ name: 'data', value: 'x'.repeat(90), filename: 'upload' }]);
    const request = httpRequest(`${world.api.url}/v1/uploads/${id}/parts`, {
      method: 'POST',
      headers: { ...multipartType, authorization: apiKey, 'content-length': body.length },
    });
    request.on('error', () => undefined);
    request.write(body.subarray(0, -60));
    expect(await once(world.store.writes, 'data')).toEqual(['begun']);
    request.destroy();
    expect(await once(world.store.writes, 'data')).toEqual(['failed']);
  });
});

test('parts that hold far more than announced are stopped', async () => {
  const { id } = await world.anUpload(3);
  await world.addParts(id, 'abc', 'abc', 'abc');
  const answer = await world.postPart(id, [dataPart('abc')]);
  expect([answer.status, errorOf(answer).message]).toEqual([
    400,
    'The parts of this upload hold 9 bytes already, but it was created for 3 bytes.',
  ]);
});

test('a part may have 64 MiB and no more', async () => {
  const bytes = 64 * 1024 ** 2;
  await world.api.close();
  world = await UploadWorld.start({
    settings: { limits: { ...testLimits, fileBytesMax: 2 * bytes } },
  });
  const { id } = await world.anUpload(bytes + 1);
  const content = Buffer.alloc(bytes + 1, 'x');
  const refused = await world.postPart(id, [dataPart(content)]);
  expect([refused.status, errorOf(refused).message]).toEqual([400, 'File is too large.']);
  const part_ids: string[] = [];
  for (const piece of [content.subarray(1), content.subarray(0, 1)]) {
    const answer = await world.postPart(id, [dataPart(piece)]);
    part_ids.push((answer.json() as { id: string }).id);
  }
  expect((await world.post(`/${id}/complete`, { part_ids })).status).toBe(200);
});

describe('an upload that the project does not have', () => {
  test.each(['upload_abc123', `upload_${'0'.repeat(32)}`, '..%2F..%2Fsecret'])(
    'such as %s is not found',
    async (id) => {
      const answers = [
        await world.postPart(id, [dataPart('abc')]),
        await world.post(`/${id}/complete`, { part_ids: [`part_${'0'.repeat(32)}`] }),
        await world.post(`/${id}/cancel`),
      ];
      for (const answer of answers) {
        expect(answer.status).toBe(404);
        expect(errorOf(answer)).toEqual({
          message: `No such Upload object: ${decodeURIComponent(id)}`,
          type: 'invalid_request_error',
          param: 'id',
          code: null,
        });
      }
    },
  );
});

test.each(['', '/upload_1/parts', '/upload_1/complete', '/upload_1/cancel'])(
  '/v1/uploads%s takes POST only',
  async (path) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const answer = await send(world.api.url, { method, path: `/v1/uploads${path}` });
      expect([answer.status, answer.headers.allow]).toEqual([405, 'POST']);
      errorOf(answer);
    }
  },
);
