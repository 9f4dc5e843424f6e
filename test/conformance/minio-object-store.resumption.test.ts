/** Concatenations whose process dies, on a real server. */
import { createHash, randomBytes } from 'node:crypto';
import {
  createMinioObjectStore,
  type MinioObjectStore,
} from '../../src/storage/minio-object-store';
import { StoreFault, type ObjectSlice } from '../../src/storage/object-store';
import { LossyProxy } from '../support/lossy-proxy';
import { MinioServer } from '../support/minio';
import { MIB } from './suites/support';

/** Gives up quickly, so that a process without a network soon counts as dead. */
const hasty = { connectTimeoutMs: 500, idleTimeoutMs: 10_000, retryMs: 300 };
const key = 'joined';
const partCount = 24;

jest.setTimeout(90_000);

let server: MinioServer;
let proxy: LossyProxy;
let store: MinioObjectStore;
let slices: readonly ObjectSlice[];
let whole: string;

beforeAll(async () => {
  server = await MinioServer.start();
  proxy = await LossyProxy.start(server.config.endpoint);
  store = createMinioObjectStore(server.config);
  await store.ensureBucket();
});

beforeEach(async () => {
  const sources = [randomBytes(5 * MIB), randomBytes(6 * MIB)] as const;
  const pair = await Promise.all(
    sources.map(async (bytes, index) => {
      const info = await store.put(`source-${index}`, bytes);
      return { key: `source-${index}`, offset: 0, length: bytes.length, etag: info?.etag ?? '' };
    }),
  );
  slices = Array.from({ length: partCount / 2 }, () => pair).flat();
  whole = digest(Buffer.concat(Array.from({ length: partCount / 2 }, () => sources).flat()));
});

afterEach(() => {
  expect(server.unfinishedUploads()).toBe(0);
});

afterAll(async () => {
  store.close();
  await proxy.close();
  await server.stop();
});

it('go on from the parts that are stored', async () => {
  const token = await dieAt(/^PUT .*partNumber=20\b/);
  await goOn(token);
  const asked = proxy.requests.filter((line) => line.startsWith('PUT '));

  expect(asked.length).toBeGreaterThan(0);
  expect(asked.length).toBeLessThan(partCount);
  expect(digest((await store.get(key))?.bytes)).toBe(whole);
});

it('go on when only the end was missing, also twice at a time', async () => {
  const token = await dieAt(/^POST .*uploadId=/);
  const both = await Promise.allSettled([goOn(token), goOn(token)]);

  expect(both.map(({ status }) => status)).toContain('fulfilled');
  expect(proxy.requests.filter((line) => line.startsWith('PUT '))).toEqual([]);
  expect(digest((await store.get(key))?.bytes)).toBe(whole);
});

it('do not take from an object that has replaced a source', async () => {
  const token = await dieAt(/^PUT .*partNumber=20\b/);
  await store.put('source-1', randomBytes(6 * MIB));

  await expect(goOn(token)).rejects.toThrow(StoreFault);
});

/**
 * Resolves to what a process has left that loses its network at a request: it cannot even give up its
 * upload.
 */
async function dieAt(request: RegExp): Promise<string> {
  let token = '';
  proxy.cutAt(request);
  const onBegun = (given: string): void => {
    token = given;
  };
  await expect(throughProxy(token, onBegun)).rejects.toThrow(StoreFault);
  expect(server.unfinishedUploads()).toBe(1);
  proxy.heal();
  proxy.requests.length = 0;
  return token;
}

async function goOn(token: string): Promise<void> {
  await throughProxy(token, () => {
    throw new Error('It was to go on with the upload that there is');
  });
}

async function throughProxy(token: string, onBegun: (token: string) => void): Promise<void> {
  const its = createMinioObjectStore({ ...server.config, endpoint: proxy.endpoint }, hasty);
  try {
    await its.concatenate(key, slices, { token, onBegun });
  } finally {
    its.close();
  }
}

function digest(bytes: Buffer | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}
