/** The object store while its server is killed, frozen, gone or not ours. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  createMinioObjectStore,
  type MinioObjectStore,
  type StoreTimeouts,
} from '../../src/storage/minio-object-store';
import { StoreFault, StoreFull, type ObjectStore } from '../../src/storage/object-store';
import { setBucketQuota } from '../support/bucket-quota';
import { LossyProxy } from '../support/lossy-proxy';
import { MinioServer } from '../support/minio';
import { MIB, openRead } from './suites/support';

/** Patient enough for a restart of the server; quick to notice that it is silent. */
const patient: StoreTimeouts = { connectTimeoutMs: 1_000, idleTimeoutMs: 500, retryMs: 60_000 };
/** For servers that are slow only because the machine is busy. */
const unhurried: StoreTimeouts = { ...patient, idleTimeoutMs: 10_000 };
const hasty: StoreTimeouts = { connectTimeoutMs: 500, idleTimeoutMs: 500, retryMs: 1_000 };
/** What a call takes at most: its retries, its last attempt, and what a busy machine adds. */
const hastyMsMax = 10_000;

jest.setTimeout(90_000);

let server: MinioServer;
let store: MinioObjectStore;
let hastyStore: MinioObjectStore;

beforeAll(async () => {
  server = await MinioServer.start();
  store = createMinioObjectStore(server.config, unhurried);
  hastyStore = createMinioObjectStore(server.config, hasty);
  await store.ensureBucket();
});

afterAll(async () => {
  store.close();
  hastyStore.close();
  await server.stop();
});

describe('a server that is killed and started again', () => {
  it('loses no conditional put, and tells every writer that it won', async () => {
    let wonCount = 0;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let index = 0; index < 25; index += 1) {
        const key = `killed/${writer}-${index}`;
        const put = await store.put(key, Buffer.from(key), { ifAbsent: true });
        wonCount += put === undefined ? 0 : 1;
        if (wonCount === 60) {
          await server.kill();
          await server.restart();
        }
      }
    });
    await Promise.all(writers);
    const keys = (await store.list('killed/')).items.map(({ key }) => key);
    const objects = await Promise.all(keys.map(async (key) => await store.get(key)));

    expect(wonCount).toBe(200);
    expect(objects.map((object) => object?.bytes.toString())).toEqual(keys);
    expect(keys).toHaveLength(200);
  });

  it('does not disturb the upload of a stream', async () => {
    const bytes = randomBytes(70 * MIB);
    async function* source(): AsyncGenerator<Buffer> {
      yield bytes.subarray(0, 45 * MIB);
      await server.kill();
      await server.restart();
      yield bytes.subarray(45 * MIB);
    }
    await store.putStream('killed-stream', Readable.from(source()));

    expect(digest((await store.get('killed-stream'))?.bytes)).toBe(digest(bytes));
    expect(server.unfinishedUploads()).toBe(0);
  });

  it('does not disturb a reader', async () => {
    const bytes = randomBytes(48 * MIB);
    await store.put('killed-read', bytes);
    const read = await openRead(store, 'killed-read', { offset: 1, length: 48 * MIB - 1 });
    const chunks: Buffer[] = [];
    let receivedBytes = 0;
    let wasKilled = false;
    for await (const chunk of read as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      receivedBytes += chunk.length;
      if (receivedBytes > 8 * MIB && !wasKilled) {
        wasKilled = true;
        await server.kill();
        await server.restart();
      }
    }

    expect(digest(Buffer.concat(chunks))).toBe(digest(bytes.subarray(1)));
  });
});

describe('a network that breaks', () => {
  let proxy: LossyProxy;
  let distant: MinioObjectStore;

  beforeAll(async () => {
    proxy = await LossyProxy.start(server.config.endpoint);
    distant = createMinioObjectStore({ ...server.config, endpoint: proxy.endpoint }, patient);
  });

  afterAll(async () => {
    distant.close();
    await proxy.close();
  });

  it('does not mix two objects when one replaces the other meanwhile', async () => {
    await store.put('replaced', Buffer.alloc(48 * MIB, 'a'));
    const read = await openRead(distant, 'replaced');
    await read[Symbol.asyncIterator]().next();
    proxy.cut();
    await store.put('replaced', Buffer.alloc(48 * MIB, 'b'));
    proxy.heal();

    await expect(buffer(read)).rejects.toThrow('An object changed while it was read');
  });

  it('does not end a read, however often it breaks', async () => {
    const bytes = randomBytes(48 * MIB);
    await store.put('broken-often', bytes);
    const chunks: Buffer[] = [];
    let receivedBytes = 0;
    let nextBreak = 8 * MIB;
    for await (const chunk of (await openRead(distant, 'broken-often')) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      receivedBytes += chunk.length;
      if (receivedBytes > nextBreak) {
        nextBreak += 8 * MIB;
        proxy.cut();
        proxy.heal();
      }
    }

    expect(digest(Buffer.concat(chunks))).toBe(digest(bytes));
  });
});

describe('an answer that is lost', () => {
  let proxy: LossyProxy;
  let lossy: MinioObjectStore;

  beforeAll(async () => {
    proxy = await LossyProxy.start(server.config.endpoint);
    lossy = createMinioObjectStore({ ...server.config, endpoint: proxy.endpoint }, unhurried);
  });

  beforeEach(() => {
    proxy.lostCount = 0;
  });

  afterEach(() => {
    expect(proxy.lostCount).toBe(1);
  });

  afterAll(async () => {
    lossy.close();
    await proxy.close();
  });

  it('does not keep a creator from learning that it won', async () => {
    proxy.loseAnswerTo(/^PUT .*created /);
    const put = await lossy.put('created', Buffer.from('mine'), { ifAbsent: true });

    expect(put).toEqual(await store.head('created'));
  });

  it('does not make a creator that lost believe that it won', async () => {
    await store.put('taken', Buffer.from('theirs'));
    proxy.loseAnswerTo(/^PUT .*taken /);

    expect(await lossy.put('taken', Buffer.from('mine'), { ifAbsent: true })).toBeUndefined();
    expect((await store.get('taken'))?.bytes.toString()).toBe('theirs');
  });

  it('does not keep a writer from learning that it replaced an object', async () => {
    const ifEtag = (await store.put('replaced-once', Buffer.from('1')))?.etag ?? '';
    proxy.loseAnswerTo(/^PUT .*replaced-once /);
    const put = await lossy.put('replaced-once', Buffer.from('2'), { ifEtag });

    expect(put).toEqual(await store.head('replaced-once'));
  });

  it('does not fail an upload whose end was not heard of', async () => {
    const bytes = randomBytes(20 * MIB);
    proxy.loseAnswerTo(/^POST .*completed\?uploadId=/);
    const info = await lossy.putStream('completed', Readable.from([bytes]));

    expect(info).toEqual(await store.head('completed'));
    expect(digest((await store.get('completed'))?.bytes)).toBe(digest(bytes));
  });

  it.each([
    ['a part', /^PUT .*partNumber=2/],
    ['the beginning', /^POST .*\?uploads/],
  ])('of %s of an upload is asked for again', async (_, pattern) => {
    const bytes = randomBytes(40 * MIB);
    proxy.loseAnswerTo(pattern);
    await lossy.putStream('parts', Readable.from([bytes]));

    expect(digest((await store.get('parts'))?.bytes)).toBe(digest(bytes));
  });
});

describe('a request that is garbled on its way', () => {
  let proxy: LossyProxy;
  let garbled: MinioObjectStore;

  beforeAll(async () => {
    proxy = await LossyProxy.start(server.config.endpoint);
    garbled = createMinioObjectStore({ ...server.config, endpoint: proxy.endpoint }, unhurried);
  });

  afterAll(async () => {
    garbled.close();
    await proxy.close();
  });

  it('is noticed by the store and sent again: a put', async () => {
    const bytes = randomBytes(2 * MIB);
    proxy.garbleRequest(/^PUT .*garbled /);
    await garbled.put('garbled', bytes);

    expect(proxy.isGarbled).toBe(true);
    expect(digest((await store.get('garbled'))?.bytes)).toBe(digest(bytes));
  });

  it('is noticed by the store and sent again: a part of a stream', async () => {
    const bytes = randomBytes(40 * MIB);
    proxy.garbleRequest(/^PUT .*partNumber=2/);
    await garbled.putStream('garbled-stream', Readable.from([bytes]));

    expect(proxy.isGarbled).toBe(true);
    expect(digest((await store.get('garbled-stream'))?.bytes)).toBe(digest(bytes));
  });
});

describe('a server that is frozen', () => {
  const calls: readonly (readonly [string, (of: ObjectStore) => Promise<unknown>])[] = [
    ['put', async (of) => await of.put('written', Buffer.from('x'))],
    ['a large put', async (of) => await of.put('written', Buffer.alloc(20 * MIB))],
    ['get', async (of) => await of.get('frozen')],
    ['getRange', async (of) => await of.getRange('frozen', { offset: 0, length: 1 })],
    ['head', async (of) => await of.head('frozen')],
    ['list', async (of) => await of.list('frozen')],
    [
      'delete',
      async (of) => {
        await of.delete(['written']);
      },
    ],
    ['openRead', async (of) => await of.openRead('frozen')],
    ['putStream', async (of) => await of.putStream('written', Readable.from([Buffer.from('x')]))],
    [
      'concatenate',
      async (of) => await of.concatenate('f', [{ key: 'frozen', offset: 0, length: 6 * MIB }]),
    ],
  ];

  beforeAll(async () => {
    await store.put('frozen', Buffer.alloc(6 * MIB));
  });

  afterEach(() => {
    server.thaw();
  });

  it.each(calls)('ends %s with a fault, in bounded time', async (_, call) => {
    await server.freeze();
    const started = performance.now();

    await expect(call(hastyStore)).rejects.toThrow(StoreFault);
    expect(performance.now() - started).toBeLessThan(hastyMsMax);
  });

  it('ends a read that has begun, in bounded time', async () => {
    await store.put('frozen-read', Buffer.alloc(48 * MIB));
    const read = await openRead(hastyStore, 'frozen-read');
    await server.freeze();
    const started = performance.now();

    await expect(buffer(read)).rejects.toThrow(StoreFault);
    expect(performance.now() - started).toBeLessThan(2 * hastyMsMax);
  });

  it('is waited for when it comes back', async () => {
    const patientStore = createMinioObjectStore(server.config, patient);
    await server.freeze();
    const put = patientStore.put('thawed', Buffer.from('x'), { ifAbsent: true });
    // The time itself is the condition: several attempts have to run into it.
    await delay(3 * patient.idleTimeoutMs);
    server.thaw();

    expect(await put).toMatchObject({ sizeBytes: 1 });
    patientStore.close();
  });
});

describe('a reader that pauses', () => {
  it('may do so for longer than the idle time', async () => {
    const bytes = randomBytes(24 * MIB);
    await store.put('paused', bytes);
    const quickStore = createMinioObjectStore(server.config, patient);
    const read = await openRead(quickStore, 'paused');
    const chunks: Buffer[] = [];
    for await (const chunk of read as AsyncIterable<Buffer>) {
      if (chunks.length === 1) {
        // The pause itself is what is tried.
        await delay(3 * patient.idleTimeoutMs);
      }
      chunks.push(chunk);
    }

    expect(digest(Buffer.concat(chunks))).toBe(digest(bytes));
    quickStore.close();
  });

  it('does not keep others from the store, however many there are', async () => {
    await store.put('crowd', Buffer.alloc(8 * MIB));
    const reads = await Promise.all(
      Array.from({ length: 100 }, async () => await openRead(store, 'crowd')),
    );

    expect(await store.put('crowd-put', Buffer.from('x'))).toBeDefined();
    reads.forEach((read) => read.destroy());
  });
});

describe('a store that cannot be used', () => {
  it.each([
    ['a server that is down', { endpoint: 'http://127.0.0.1:1' }],
    ['a host that does not exist', { endpoint: 'http://longhaul.invalid:9000' }],
    ['a wrong key', { secretKey: 'not-the-secret-key' }],
    ['a bucket that does not exist', { bucket: 'another-bucket' }],
  ])('says so as a fault that names the key and no secret: %s', async (_, change) => {
    const config = { ...server.config, ...change };
    const unusable = createMinioObjectStore(config, hasty);
    const fault: unknown = await unusable.get('some/key').catch((error: unknown) => error);

    expect(fault).toBeInstanceOf(StoreFault);
    expect((fault as StoreFault).message).toContain('[key=some/key]');
    expect((fault as StoreFault).cause).toBeInstanceOf(Error);
    expect(inspect(fault, { depth: 10 })).not.toContain(config.secretKey);
    expect(inspect(fault, { depth: 10 })).not.toContain(config.accessKey);
    unusable.close();
  });

  it('does not keep trying what the store refuses', async () => {
    const unusable = createMinioObjectStore({ ...server.config, secretKey: 'wrong' }, patient);
    const started = performance.now();

    await expect(unusable.put('key', Buffer.from('x'))).rejects.toThrow(StoreFault);
    expect(performance.now() - started).toBeLessThan(hastyMsMax);
    unusable.close();
  });
});

describe('a store without room', () => {
  /** As MinIO writes it when its disk is full, with status 507. */
  const diskFull =
    '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed.</Message><Key>key</Key><BucketName>longhaul-test</BucketName><Resource>/longhaul-test/key</Resource><RequestId>18EA19EFFFBC46D0</RequestId><HostId>dd9025bab4ad464b</HostId></Error>';

  afterEach(async () => {
    await setBucketQuota(server.config, null);
  });

  it.each([
    ['put', async () => await store.put('full', Buffer.from('x'))],
    [
      'putStream',
      async () => await store.putStream('full', Readable.from([Buffer.alloc(20 * MIB)])),
    ],
  ])('because of a quota refuses %s as full, and lets others read', async (_, write) => {
    await store.put('kept', Buffer.from('x'));
    await setBucketQuota(server.config, 1);
    const uploads = server.unfinishedUploads();

    await expect(write()).rejects.toThrow(StoreFull);
    expect((await store.get('kept'))?.bytes.toString()).toBe('x');
    expect(await store.get('full')).toBeUndefined();
    expect(server.unfinishedUploads()).toBe(uploads);
  });

  it('is waited for by those who can', async () => {
    const waiting = createMinioObjectStore(server.config, { ...patient, waitsForRoom: true });
    await setBucketQuota(server.config, 1);
    const refused = await store.put('waited', Buffer.from('x')).catch((error: unknown) => error);
    const put = waiting.put('waited', Buffer.from('x'), { ifAbsent: true });
    await setBucketQuota(server.config, null);

    expect(refused).toBeInstanceOf(StoreFull);
    expect(await put).toMatchObject({ sizeBytes: 1 });
    waiting.close();
  });

  it('because of a full disk says the same', async () => {
    const full = createServer((request, response) => {
      request.resume();
      response.writeHead(507, { 'content-type': 'application/xml' }).end(diskFull);
    });
    await once(full.listen(0, '127.0.0.1'), 'listening');
    const { port } = full.address() as AddressInfo;
    const endpoint = `http://127.0.0.1:${port}`;
    const distant = createMinioObjectStore({ ...server.config, endpoint }, patient);

    await expect(distant.put('key', Buffer.from('x'))).rejects.toThrow(StoreFull);
    distant.close();
    full.close();
  });
});

describe('the bucket', () => {
  it('is created once by any number of processes that start at the same time', async () => {
    const config = { ...server.config, bucket: 'started-together' };
    const stores = Array.from({ length: 8 }, () => createMinioObjectStore(config, patient));
    await Promise.all(
      stores.map(async (one) => {
        await one.ensureBucket();
      }),
    );

    expect(await stores[0]?.put('key', Buffer.from('x'))).toBeDefined();
    stores.forEach((one) => {
      one.close();
    });
  });
});

describe('an upload that fails', () => {
  it('leaves no parts on the server', async () => {
    // Those that a frozen server began after nobody waited for them any more.
    const before = server.unfinishedUploads();
    async function* source(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(40 * MIB);
      await Promise.reject(new Error('the client went away'));
    }
    await expect(store.putStream('gone', Readable.from(source()))).rejects.toThrow('went away');
    const missing = { key: 'none', offset: 0, length: 6 * MIB };
    await expect(store.concatenate('gone', [missing])).rejects.toThrow(StoreFault);

    expect(server.unfinishedUploads()).toBe(before);
  });

  it('of one writer does not touch that of another under the same key', async () => {
    const bytes = randomBytes(40 * MIB);
    async function* failing(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(20 * MIB);
      await Promise.reject(new Error('the client went away'));
    }
    const [first, second] = await Promise.allSettled([
      store.putStream('shared', Readable.from([bytes])),
      store.putStream('shared', Readable.from(failing())),
    ]);

    expect([first.status, second.status]).toEqual(['fulfilled', 'rejected']);
    expect(digest((await store.get('shared'))?.bytes)).toBe(digest(bytes));
  });
});

function digest(bytes: Buffer | undefined): string {
  return createHash('sha256')
    .update(bytes ?? '')
    .digest('hex');
}
