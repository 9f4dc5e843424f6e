/**
 * A TCP proxy in the hands of a test: requests wait, answers trickle, connections break or fall
 * silent. What it does it does until it is told otherwise; there is no time in it but the pace of a
 * trickle.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

type State = 'open' | 'cut' | 'silent';

interface Hold {
  readonly pattern: RegExp;
  readonly waiting: Set<() => void>;
}

/** A hundred kilobytes a second. */
const trickleBytes = 2_048;
const trickleIntervalMs = 20;

export class GatedProxy {
  private state: State = 'open';
  private readonly holds = new Set<Hold>();
  private readonly trickles: { readonly pattern: RegExp; count: number }[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  /** @param port of a server on this machine, which need not run yet. */
  static async start(port: number): Promise<GatedProxy> {
    const server = createServer();
    const proxy = new GatedProxy(server);
    server.on('connection', (client) => {
      if (proxy.state === 'cut') {
        client.destroy();
      } else {
        proxy.relay(client, connect(port, '127.0.0.1'));
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  /** Host and port. */
  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** HTTP requests whose first line matches wait until the returned object releases them. */
  hold(pattern: RegExp): { readonly heldCount: number; release(): void } {
    const hold: Hold = { pattern, waiting: new Set() };
    this.holds.add(hold);
    return {
      get heldCount() {
        return hold.waiting.size;
      },
      release: () => {
        this.holds.delete(hold);
        hold.waiting.forEach((pass) => {
          pass();
        });
      },
    };
  }

  /** Answers to HTTP requests whose first line matches come so slowly that large ones never end; they are counted. */
  trickle(pattern: RegExp): { readonly count: number } {
    const trickle = { pattern, count: 0 };
    this.trickles.push(trickle);
    return trickle;
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
    this.server.close();
    await once(this.server, 'close');
  }

  private relay(client: Socket, server: Socket): void {
    let isTrickling = false;
    client.on('data', (chunk: Buffer) => {
      const [firstLine = ''] = chunk.toString('latin1').split('\r\n', 1);
      if (firstLine.endsWith(' HTTP/1.1')) {
        const trickle = this.trickles.find(({ pattern }) => pattern.test(firstLine));
        isTrickling = trickle !== undefined;
        if (trickle !== undefined) {
          trickle.count += 1;
        }
      }
      const hold = [...this.holds].find(({ pattern }) => pattern.test(firstLine));
      if (hold === undefined) {
        server.write(chunk);
      } else {
        keepWaiting(hold, client, () => server.write(chunk));
      }
    });
    server.on('data', (chunk: Buffer) => {
      if (isTrickling) {
        passSlowly(chunk, server, client);
      } else {
        client.write(chunk);
      }
    });
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

function keepWaiting(hold: Hold, client: Socket, pass: () => void): void {
  client.pause();
  const goOn = (): void => {
    hold.waiting.delete(goOn);
    pass();
    client.resume();
  };
  hold.waiting.add(goOn);
  client.once('close', () => hold.waiting.delete(goOn));
}

function passSlowly(chunk: Buffer, from: Socket, to: Socket): void {
  from.pause();
  let offset = 0;
  const timer = setInterval(() => {
    to.write(chunk.subarray(offset, offset + trickleBytes));
    offset += trickleBytes;
    if (offset >= chunk.length || to.destroyed) {
      clearInterval(timer);
      from.resume();
    }
  }, trickleIntervalMs);
}
