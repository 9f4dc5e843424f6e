import { once } from 'node:events';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { StoreFault, StoreFull, type ListPage } from '../../../src/storage/object-store';
import { apiKey, errorOf, send, startApi } from './api-under-test';
import { batchPurpose, filePart, multipart, multipartType } from './multipart';

/** Fails with whatever it is told to. */
class FailingStore extends MemoryObjectStore {
  constructor(private readonly fault: Error) {
    super();
  }

  override async put(): Promise<never> {
    await Promise.resolve();
    throw this.fault;
  }

  override async listFolders(): Promise<ListPage<string>> {
    await Promise.resolve();
    throw this.fault;
  }
}

describe('a request that meets', () => {
  test('a store that is down is to be repeated', async () => {
    const api = await startApi({
      store: new FailingStore(new StoreFault('no store [key=secret]')),
    });
    for (const path of ['/v1/files', '/v1/files?order=asc', '/v1/batches']) {
      const answer = await send(api.url, { path });
      expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
      expect(errorOf(answer)).toMatchObject({ type: 'server_error', param: null, code: null });
      expect(answer.text).not.toContain('secret');
    }
    await api.close();
  });

  test('a store that is full is not to be repeated by a program', async () => {
    const api = await startApi({
      store: new FailingStore(new StoreFull('no room [key=secret]')),
    });
    const answer = await send(api.url, {
      method: 'POST',
      path: '/v1/files',
      headers: multipartType,
      body: multipart([filePart('{}\n'), batchPurpose]),
    });
    expect(answer.status).toBe(507);
    expect(answer.headers).toMatchObject({ 'retry-after': '60', 'x-should-retry': 'false' });
    expect(errorOf(answer)).toMatchObject({ type: 'server_error', code: 'storage_full' });
    expect(answer.text).not.toContain('secret');
    await api.close();
  });

  test('a bug of ours tells the client nothing of it', async () => {
    const api = await startApi({ store: new FailingStore(new TypeError('secret is undefined')) });
    const answer = await send(api.url, { path: '/v1/batches' });
    expect(answer.status).toBe(500);
    const error = errorOf(answer);
    expect(error).toMatchObject({ type: 'server_error', param: null, code: null });
    expect(error.message).toMatch(/^The server had an error while processing your request\./);
    expect(answer.text).not.toContain('secret');
    await api.close();
  });
});

test('a port that is taken is reported', async () => {
  const first = await startApi();
  const port = Number(new URL(first.url).port);
  await expect(startApi({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  await first.close();
});

test('closing lets a running upload end, and its connection with it', async () => {
  const api = await startApi();
  const body = multipart([filePart('{}\n'), batchPurpose]);
  const agent = new Agent({ keepAlive: true });
  const upload = httpRequest(`${api.url}/v1/files`, {
    method: 'POST',
    agent,
    headers: { ...multipartType, authorization: apiKey },
  });
  await new Promise((resolve) => upload.write(body.subarray(0, 200), resolve));
  // Answered on another connection, so the upload has begun by now.
  await send(api.url, { path: '/healthz' });
  const closed = api.close(30_000);
  await expect(send(api.url, { path: '/healthz' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  upload.end(body.subarray(200));
  const [response] = (await once(upload, 'response')) as [IncomingMessage];
  expect(response.resume().statusCode).toBe(200);
  await closed;
  agent.destroy();
});

test('closing cuts what does not end within the grace period', async () => {
  const api = await startApi();
  const upload = httpRequest(`${api.url}/v1/files`, {
    method: 'POST',
    headers: { ...multipartType, authorization: apiKey },
  });
  const failed = once(upload, 'error');
  await new Promise((resolve) => upload.write('--', resolve));
  await send(api.url, { path: '/healthz' });
  await api.close(10);
  expect(await failed).toMatchObject([{ code: 'ECONNRESET' }]);
});
