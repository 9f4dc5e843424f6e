/** Creates that are sent more than once make one batch, whatever went wrong in between. */
import { defaultProjectId, type BatchId, type FileId } from '../../../src/domain/ids';
import { fileKeys, openBatchKey } from '../../../src/domain/object-keys';
import { eventually } from '../../support/eventually';
import { FaultyObjectStore, keysBelow, type Fate } from '../../support/faulty-object-store';
import {
  errorOf,
  send,
  startApi,
  testLimits,
  type Answer,
  type ApiUnderTest,
} from './api-under-test';
import { anInputFile, createdAt, endpoint, refOf } from './batch-events';

let store: FaultyObjectStore;
let api: ApiUnderTest;
let body: Record<string, unknown>;
beforeEach(async () => {
  store = new FaultyObjectStore();
  api = await startApi({ store });
  body = { input_file_id: await anInputFile(api), endpoint, completion_window: '24h' };
});
afterEach(async () => {
  await api.close();
});

type RequestHeaders = Readonly<Record<string, string>>;

const named: RequestHeaders = { 'idempotency-key': 'monday' };
const attempt = (count: number): RequestHeaders => ({ 'x-stainless-retry-count': String(count) });

async function post(headers: RequestHeaders, changes: object = {}): Promise<Answer> {
  return await send(api.url, {
    method: 'POST',
    path: '/v1/batches',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ ...body, ...changes }),
  });
}

function idOf(answer: Answer): string {
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"batch_')]);
  return (answer.json() as { id: string }).id;
}

async function batchIds(): Promise<string[]> {
  return (await api.client.batches.list()).data.map(({ id }) => id);
}

/** What one batch leaves behind that has just been created. */
async function expectOneBatch(id: string): Promise<void> {
  expect(api.runner.batchIds).toEqual([id]);
  expect(await batchIds()).toEqual([id]);
  expect(await keysBelow(store.memory, 'open/')).toEqual([`open/default/${id}`]);
  const uses = (await keysBelow(store.memory, 'projects/default/files/')).filter((key) =>
    key.includes('/uses/'),
  );
  expect(uses).toEqual([expect.stringMatching(`/uses/${id}$`)]);
}

describe('a create with a key', () => {
  test('that is repeated answers the same batch as it now is', async () => {
    const id = idOf(await post(named));
    await api.client.batches.cancel(id);
    const again = await post(named, { metadata: null, unknown: 1 });
    expect(again.json()).toMatchObject({ id, status: 'cancelling' });
    await expectOneBatch(id);
  });

  test('that comes several times at once makes one batch', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, async () => await post(named)));
    const [id = ''] = answers.map(idOf);
    expect(new Set(answers.map(idOf))).toEqual(new Set([id]));
    await expectOneBatch(id);
  });

  test.each([
    { metadata: { team: 'blue' } },
    { endpoint: '/v1/embeddings' },
    { input_file_id: 'file-2' },
    { webhook_url: 'https://example.com/' },
  ])('that was used for something else is refused: %j', async (changes) => {
    const id = idOf(await post(named));
    const answer = await post(named, changes);
    expect(answer.status).toBe(400);
    expect(errorOf(answer)).toMatchObject({ param: null, code: 'idempotency_key_reused' });
    await expectOneBatch(id);
  });

  test('is no other project’s, and no other key’s', async () => {
    const ids = [await post(named), await post({ 'idempotency-key': 'tuesday' })].map(idOf);
    expect(new Set(ids).size).toBe(2);
  });

  test('may say its metadata in another order', async () => {
    const id = idOf(await post(named, { metadata: { a: '1', b: '2' } }));
    expect(idOf(await post(named, { metadata: { b: '2', a: '1' } }))).toBe(id);
  });

  test.each(['', 'x'.repeat(256), 'tab\there', 'caf\u00e9'])('%j is refused', async (key) => {
    const answer = await post({ 'idempotency-key': key });
    expect(answer.status).toBe(400);
    expect(errorOf(answer).message).toMatch(/^Invalid Idempotency-Key header/);
  });

  test('is in the agenda for a day', async () => {
    idOf(await post(named));
    const [kept] = await keysBelow(store.memory, 'projects/default/creates/');
    expect(kept).toMatch(/\/[0-9a-f]{64}$/);
    const due = await keysBelow(store.memory, 'agenda/');
    const name = kept?.split('/').at(-1) ?? '';
    expect(due).toContainEqual(
      `agenda/${String(createdAt + 86_400).padStart(12, '0')}/default/create:${name}`,
    );
  });
});

describe('a create without a key', () => {
  test('is another batch each time that it is a first attempt', async () => {
    const ids = [await post(attempt(0)), await post(attempt(0)), await post({})].map(idOf);
    expect(new Set(ids).size).toBe(3);
  });

  test('is the same batch when it is a repeat', async () => {
    const id = idOf(await post(attempt(0)));
    expect([await post(attempt(1)), await post(attempt(2))].map(idOf)).toEqual([id, id]);
    await expectOneBatch(id);
  });

  test('is the same batch when every repeat came ten minutes later', async () => {
    const id = idOf(await post(attempt(0)));
    api.clock.nowMs += 605_000;
    expect(idOf(await post(attempt(1)))).toBe(id);
    api.clock.nowMs += 605_000;
    expect(idOf(await post(attempt(2)))).toBe(id);
  });

  test('is a new batch when its first attempt is too long ago, or never arrived', async () => {
    const id = idOf(await post(attempt(0)));
    api.clock.nowMs += 665_000;
    const late = idOf(await post(attempt(1)));
    expect(late).not.toBe(id);
    expect(idOf(await post(attempt(2)))).toBe(late);
    const other = idOf(await post(attempt(1), { metadata: { other: 'body' } }));
    expect([id, late]).not.toContain(other);
  });

  test('finds the latest of several first attempts', async () => {
    await post(attempt(0));
    await post(attempt(0));
    const last = idOf(await post(attempt(0)));
    expect(idOf(await post(attempt(1)))).toBe(last);
  });

  test('shares no batch with other clients that repeat the same request', async () => {
    api.runner.down = true;
    const refused = await Promise.all([post(attempt(0)), post(attempt(0)), post(attempt(0))]);
    expect(refused.map(({ status }) => status)).toEqual([503, 503, 503]);
    api.runner.down = false;
    const repeats = await Promise.all([post(attempt(1)), post(attempt(1)), post(attempt(1))]);
    expect(new Set(repeats.map(idOf)).size).toBe(3);
    expect(await batchIds()).toHaveLength(3);
  });
});

describe('a repeat after the engine', () => {
  test.each([
    ['answered too late', 'isMute'],
    ['was down', 'down'],
  ] as const)('%s makes one batch', async (_case, fault) => {
    for (const [index, [first, second]] of [
      [named, named],
      [attempt(0), attempt(1)],
    ].entries()) {
      const changes = { metadata: { index: String(index) } };
      api.runner[fault] = true;
      const refused = await post(first ?? {}, changes);
      expect([refused.status, refused.headers['retry-after']]).toEqual([503, '5']);
      api.runner[fault] = false;
      const id = idOf(await post(second ?? {}, changes));
      expect(api.runner.batchIds).toHaveLength(index + 1);
      expect(await batchIds()).toContain(id);
    }
  });
});

/** The store fails with one call of the first attempt, and the attempt with it. */
async function firstAttempt(headers: RequestHeaders, failing: number, fate: Fate): Promise<Answer> {
  const from = store.calls.length;
  store.fateOf = () => (store.calls.length - from === failing ? fate : 'works');
  const answer = await post(headers);
  store.fateOf = () => 'works';
  return answer;
}

describe.each([
  ['a key', named, named],
  ['a count', attempt(0), attempt(1)],
] as const)('a create with %s', (_name, first, second) => {
  test.each(['fails', 'answer_lost'] as const)(
    'makes one batch when any call of the store %s',
    async (fate) => {
      const callsBefore = store.calls.length;
      idOf(await post(first));
      const callCount = store.calls.length - callsBefore;
      expect(callCount).toBeGreaterThanOrEqual(7);
      for (let failing = 1; failing <= callCount; failing++) {
        await api.close();
        store = new FaultyObjectStore();
        api = await startApi({ store });
        body = { ...body, input_file_id: await anInputFile(api) };
        const refused = await firstAttempt(first, failing, fate);
        expect(refused.status).toBe(503);
        const id = idOf(await post(second));
        await expectOneBatch(id);
      }
    },
  );
});

test('a repeat that starts a batch after its end leaves no marker of it', async () => {
  api.runner.isMute = true;
  await post(named);
  api.runner.isMute = false;
  const [id] = api.runner.batchIds;
  const ref = refOf(id ?? '');
  const [started] = api.runner.started;
  // The batch ends between the repeat's look for a record and its own markers.
  store.fateOf = async ({ name, key }): Promise<Fate> => {
    if (name === 'put' && key.startsWith('open/') && started !== undefined) {
      store.fateOf = () => 'works';
      await api.batches.create(started.batch);
      await api.batches.decideEnd(ref, { reason: 'failed', at: createdAt });
      await api.batches.apply(ref, { type: 'validation_failed', at: createdAt, errors: [] });
    }
    return 'works';
  };
  expect((await post(named)).json()).toMatchObject({ id, status: 'failed' });
  expect(await keysBelow(store.memory, 'open/')).toEqual([]);
  const uses = await keysBelow(store.memory, 'projects/default/files/');
  expect(uses.filter((key) => key.includes('/uses/'))).toEqual([]);
});

test('an attempt that is refused takes nothing from the one under its name that is not', async () => {
  await api.close();
  api = await startApi({ store, settings: { limits: { ...testLimits, openBatchesMax: 1 } } });
  const other = idOf(await post({}));
  let refused = 0;
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  store.fateOf = async ({ name, key }): Promise<Fate> => {
    if (name === 'delete' && (key.startsWith('open/') || key.includes('/uses/'))) {
      refused += 1;
      await held;
    }
    return 'works';
  };
  const first = post(named);
  await eventually('the first attempt is refused, or wants its markers back', async () => {
    return refused > 0 || (await Promise.race([first, Promise.resolve(undefined)])) !== undefined;
  });
  await store.memory.delete([openBatchKey(defaultProjectId, other as BatchId)]);
  const accepted = idOf(await post(named));
  letGo();
  expect((await first).status).toBe(429);
  const keys = fileKeys(defaultProjectId, body['input_file_id'] as FileId);
  expect(await keysBelow(store, keys.usesPrefix)).toContain(keys.use(accepted as BatchId));
  expect(await keysBelow(store, 'open/')).toContain(
    openBatchKey(defaultProjectId, accepted as BatchId),
  );
});
