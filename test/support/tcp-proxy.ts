import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in the hands of a test: connections break or fall silent until it is told otherwise. */
export abstract class TcpProxy {
  /** First lines of the HTTP requests that were passed on. */
  readonly requests: string[] = [];
  private state: 'open' | 'cut' | 'silent' = 'open';
  private readonly sockets = new Set<Socket>();
  private readonly listener = createServer();

  /** @param target a URL with the port of a server that need not run yet. */
  static async start<Proxy extends TcpProxy>(
    this: new () => Proxy,
    target: string,
  ): Promise<Proxy> {
    const { hostname, port } = new URL(target);
    const proxy = new this();
    proxy.listener.on('connection', (client) => {
      if (proxy.state === 'cut') {
        client.destroy();
      } else {
        proxy.pair(client, connect(Number(port), hostname));
      }
    });
    await once(proxy.listener.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** Host and port. */
  get address(): string {
    return `127.0.0.1:${(this.listener.address() as AddressInfo).port}`;
  }

  /** Breaks every connection, and each new one until {@link heal}. */
  cut(): void {
    this.state = 'cut';
    this.sockets.forEach((socket) => socket.destroy());
  }

  /** Keeps every connection, takes new ones, and passes nothing until {@link heal}. */
  silence(): void {
    this.state = 'silent';
    this.sockets.forEach((socket) => socket.pause());
  }

  heal(): void {
    this.state = 'open';
    this.sockets.forEach((socket) => socket.resume());
  }

  async close(): Promise<void> {
    this.cut();
    this.listener.close();
    await once(this.listener, 'close');
  }

  protected notePassed(firstLine: string): void {
    if (firstLine.endsWith(' HTTP/1.1')) {
      this.requests.push(firstLine);
    }
  }

  /** Passes on what each of the two sends. */
  protected abstract relay(client: Socket, server: Socket): void;

  private pair(client: Socket, server: Socket): void {
    this.relay(client, server);
    this.join(client, server);
    this.join(server, client);
  }

  private join(one: Socket, other: Socket): void {
    this.sockets.add(one);
    if (this.state === 'silent') {
      one.pause();
    }
    one.on('error', () => undefined);
    one.on('close', () => {
      this.sockets.delete(one);
      other.destroy();
    });
  }
}

/** Of bytes with which an HTTP request begins. */
export function firstLineOf(chunk: Buffer): string {
  return chunk.toString('latin1').split('\r\n', 1)[0] ?? '';
}
