/**
 * Hundreds of hostile requests against the built API on a real store: each gets the right status in
 * the envelope, none crashes it or holds its event loop, and nothing of them stays in the store.
 */
import { waitUntil } from '../../../scripts/local/wait';
import {
  createMinioObjectStore,
  type MinioObjectStore,
} from '../../../src/storage/minio-object-store';
import { MinioServer } from '../../support/minio';
import { useTemporaryFolder } from '../../support/temporary-folder';
import type { HostileCase } from './corpus/hostile-case';
import { headCases } from './corpus/heads';
import { jsonCases } from './corpus/json';
import { multipartCases } from './corpus/multipart';
import { slowCases } from './corpus/slow';
import { targetCases } from './corpus/targets';
import { uploadCases } from './corpus/uploads';
import { HostileApi } from './hostile-api';

const cases = [
  ...multipartCases,
  ...jsonCases,
  ...targetCases,
  ...headCases,
  ...uploadCases,
  ...slowCases,
];

const folder = useTemporaryFolder();
let minio: MinioServer;
let store: MinioObjectStore;

beforeAll(async () => {
  minio = await MinioServer.start();
  store = createMinioObjectStore(minio.config);
});

afterAll(async () => {
  store.close();
  await minio.stop();
});

interface Findings {
  readonly faults: readonly string[];
  /** Cases in which the event loop stood still. */
  readonly stalled: readonly HostileCase[];
}

/** Sends cases one after another. */
async function attack(api: HostileApi, some: readonly HostileCase[]): Promise<Findings> {
  await api.stalls();
  const faults: string[] = [];
  const startedAt = new Map<HostileCase, number>();
  for (const one of some) {
    startedAt.set(one, Date.now());
    const fault = await faultOf(api, one).catch(
      (error: unknown) => `${one.name}: ${String(error)}`,
    );
    faults.push(...(fault === undefined ? [] : [fault]));
  }
  const stalled = (await api.stalls()).flatMap(({ endedAt }) => {
    const [one] = [...startedAt].filter(([, at]) => at <= endedAt).at(-1) ?? [];
    return one === undefined ? [] : [one];
  });
  return { faults, stalled };
}

/** Compilers and garbage collectors take their time once, a request that is too much work always. */
const stallsToTell = 4;

/** What is wrong with the answer to a case; `undefined` when nothing is. */
async function faultOf(api: HostileApi, one: HostileCase): Promise<string | undefined> {
  if (one.right === 'cut') {
    await api.sendAndLeave(one.bytes);
    return undefined;
  }
  const { status, headers, body } = await api.exchange(one);
  if (!one.right.includes(status)) {
    return `${one.name}: ${status} instead of ${one.right.join(' or ')}: ${body.slice(0, 200)}`;
  }
  if (status === 200) {
    return undefined;
  }
  const isEnvelope =
    (headers.get('content-type') ?? '').startsWith('application/json') &&
    /^req_[0-9a-f]{32}$/.test(headers.get('x-request-id') ?? '') &&
    isErrorBody(body);
  return isEnvelope ? undefined : `${one.name}: no envelope: ${body.slice(0, 200)}`;
}

function isErrorBody(text: string): boolean {
  const { error } = JSON.parse(text) as { readonly error: Readonly<Record<string, unknown>> };
  return (
    Object.keys(error).sort().join() === 'code,message,param,type' &&
    typeof error['message'] === 'string' &&
    error['message'].length < 2_000 &&
    !/node_modules|\bat .*:\d+:\d+/.test(error['message'])
  );
}

it('has a corpus of at least 300 different requests', () => {
  const names = cases.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  expect(cases.length).toBeGreaterThanOrEqual(300);
});

it('answers all of them rightly, keeps nothing of them, and never stands still', async () => {
  const api = await HostileApi.start(minio.config, folder());
  try {
    const { faults, stalled } = await attack(api, cases);
    let suspects = stalled;
    for (let time = 1; time < stallsToTell && suspects.length > 0; time++) {
      suspects = (await attack(api, suspects)).stalled;
    }
    expect(suspects.map(({ name }) => name)).toEqual([]);
    expect(api.isAlive).toBe(true);
    expect(api.log.match(/"level":[56]0.*/g) ?? []).toEqual([]);
    const keysLeft = async (): Promise<string[]> =>
      (await store.list('')).items.map(({ key }) => key);
    await waitUntil(async () => (await keysLeft()).length === 0, {
      what: 'the store to be empty again',
      timeoutMs: 30_000,
    }).catch(async (error: unknown) => {
      throw new Error(`${String(error)}: ${(await keysLeft()).slice(0, 10).join(' ')}`);
    });
    expect(minio.unfinishedUploads()).toBe(0);
    expect(faults).toEqual([]);
  } finally {
    await api.stop();
  }
});
