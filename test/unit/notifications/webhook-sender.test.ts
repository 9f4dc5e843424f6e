import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { AddressGuard } from '../../../src/notifications/address-guard';
import { HttpWebhookSender, type WebhookAnswer } from '../../../src/notifications/webhook-sender';
import { WebhookReceiver } from '../../support/webhook-receiver';

const loopback = ['127.0.0.0/8', '::1/128'];
const body = Buffer.from('{"id":"evt_1"}');
const headers = { 'webhook-id': 'wh_1' };

async function post(
  url: string,
  options: { readonly allowed?: readonly string[]; readonly timeoutMs?: number } = {},
): Promise<WebhookAnswer> {
  const { allowed = loopback, timeoutMs } = options;
  return await new HttpWebhookSender(new AddressGuard(allowed), timeoutMs).send({
    url,
    headers,
    body,
  });
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(
    closers.splice(0).map(async (close) => {
      await close();
    }),
  );
});

async function receiver(
  answer?: Parameters<typeof WebhookReceiver.start>[0],
): Promise<WebhookReceiver> {
  const started = await WebhookReceiver.start(answer);
  closers.push(async () => {
    await started.close();
  });
  return started;
}

/** The port of a server that says what no HTTP server would. */
async function rawServer(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    sockets.forEach((socket) => socket.destroy());
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

describe('a receiver in an allowed network', () => {
  it('gets the bytes and the headers, and no others that tell something', async () => {
    const local = await receiver();
    expect(await post(local.url('/hook?token=1'))).toEqual({ status: 200, retryAfter: undefined });
    const [webhook] = local.received;
    expect(webhook).toMatchObject({ path: '/hook?token=1', body: body.toString() });
    expect(webhook?.headers).toEqual({
      'webhook-id': 'wh_1',
      'content-length': String(body.length),
      host: `127.0.0.1:${local.port}`,
      connection: 'close',
    });
  });

  it('is reached by its name too', async () => {
    const local = await receiver();
    expect(await post(`http://localhost:${local.port}/`)).toMatchObject({ status: 200 });
  });

  it.each([204, 301, 410, 500])('may answer %i', async (status) => {
    const local = await receiver((response) => response.writeHead(status).end());
    expect(await post(local.url())).toMatchObject({ status });
  });

  it('may say when to come again', async () => {
    const local = await receiver((response) => {
      response.writeHead(503, { 'retry-after': '120' }).end();
    });
    expect(await post(local.url())).toEqual({ status: 503, retryAfter: '120' });
  });

  it('may answer without an end', async () => {
    const local = await receiver((response) => {
      const more = (): void => {
        response.write('x'.repeat(65_536), more);
      };
      response.on('error', () => undefined);
      more();
    });
    expect(await post(local.url())).toMatchObject({ status: 200 });
  });
});

describe('the guard', () => {
  it.each([
    (port: number) => `http://127.0.0.1:${port}/`,
    (port: number) => `https://127.0.0.1:${port}/`,
    (port: number) => `https://127.1:${port}/`,
    (port: number) => `https://0x7f.1:${port}/`,
    (port: number) => `https://[::ffff:127.0.0.1]:${port}/`,
    (port: number) => `https://localhost:${port}/`,
    (port: number) => `http://localhost:${port}/`,
    (port: number) => `https://0:${port}/`,
  ])('lets nothing through to loopback: %s', async (urlOf) => {
    let connections = 0;
    const port = await rawServer((socket) => {
      connections += 1;
      socket.destroy();
    });
    expect(await post(urlOf(port), { allowed: [] })).toEqual({ error: 'address_refused' });
    expect(await post(urlOf(port), { allowed: ['10.0.0.0/8'] })).toEqual({
      error: 'address_refused',
    });
    expect(connections).toBe(0);
  });

  it('follows no redirect', async () => {
    const inner = await receiver();
    const outer = await receiver((response) => {
      response.writeHead(307, { location: inner.url() }).end();
    });
    expect(await post(outer.url())).toMatchObject({ status: 307 });
    expect(inner.received).toEqual([]);
  });

  it('goes through no proxy', async () => {
    const proxy = await receiver();
    const local = await receiver();
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = proxy.url('');
    try {
      expect(await post(local.url())).toMatchObject({ status: 200 });
    } finally {
      if (before === undefined) {
        delete process.env['http_proxy'];
      } else {
        process.env['http_proxy'] = before;
      }
    }
    expect(proxy.received).toEqual([]);
  });
});

describe('without an answer', () => {
  it('says that nobody listens', async () => {
    const port = await rawServer(() => undefined);
    await closers.pop()?.();
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ error: 'connection_failed' });
  });

  it('says that there is no such name', async () => {
    expect(await post('http://no-such-name.invalid/')).toEqual({ error: 'name_not_resolved' });
  });

  it.each([
    ['nothing', ''],
    ['half of a header', 'HTTP/1.1 200 OK\r\nx: '],
    ['nothing but informational answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ])('gives up on a receiver that says %s', async (_, text) => {
    const port = await rawServer((socket) => socket.write(text));
    const answer = await post(`http://127.0.0.1:${port}/`, { timeoutMs: 200 });
    expect(answer).toEqual({ error: 'timeout' });
  });

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['too many headers', `HTTP/1.1 200 OK\r\n${'x: '.padEnd(20_000, 'x')}\r\n\r\n`],
    ['too many interim answers', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(11)],
    ['as many of another kind', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(11)],
  ])('takes %s for a failed connection', async (_, text) => {
    const port = await rawServer((socket) => socket.write(text));
    expect(await post(`http://127.0.0.1:${port}/`)).toEqual({ error: 'connection_failed' });
  });
});

it('takes a change of protocol for an answer', async () => {
  const text = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n';
  const port = await rawServer((socket) => {
    socket.write(text);
  });
  expect(await post(`http://127.0.0.1:${port}/`)).toMatchObject({ status: 101 });
});

describe('over https', () => {
  it('trusts no certificate that nobody has signed', async () => {
    const local = await WebhookReceiver.start(undefined, 'https');
    closers.push(async () => {
      await local.close();
    });
    expect(await post(local.url())).toEqual({ error: 'certificate_refused' });
    expect(local.received).toEqual([]);
  });

  it('says that the receiver speaks no TLS', async () => {
    const local = await receiver();
    expect(await post(local.url().replace('http:', 'https:'))).toEqual({
      error: 'connection_failed',
    });
  });
});
