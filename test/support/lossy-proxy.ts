/**
 * A TCP proxy that loses answers: the server has done what it was told, and the client never knows.
 * It also garbles requests.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export class LossyProxy {
  /** How many answers were lost. */
  lostCount = 0;
  private pattern: RegExp | undefined;
  private garbledPattern: RegExp | undefined;
  private isCut = false;
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(target: string): Promise<LossyProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    const proxy = new LossyProxy(server);
    server.on('connection', (client) => {
      if (proxy.isCut) {
        client.destroy();
      } else {
        proxy.relay(client, connect(Number(port), hostname));
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return proxy;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The next answer to a request whose first line matches is lost, with its connection. */
  loseAnswerTo(pattern: RegExp): void {
    this.pattern = pattern;
  }

  /** The next request whose first line matches has another byte in its body, which must be large. */
  garbleRequest(pattern: RegExp): void {
    this.garbledPattern = pattern;
  }

  get isGarbled(): boolean {
    return this.garbledPattern === undefined;
  }

  /** Breaks every connection, and each new one until {@link heal}. */
  cut(): void {
    this.isCut = true;
    this.sockets.forEach((socket) => socket.destroy());
  }

  heal(): void {
    this.isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  private relay(client: Socket, server: Socket): void {
    let isLost = false;
    let isGarbled = false;
    client.on('data', (chunk: Buffer) => {
      const [firstLine = ''] = chunk.toString('latin1').split('\r\n', 1);
      if (this.pattern?.test(firstLine) === true) {
        this.pattern = undefined;
        isLost = true;
      }
      if (isGarbled) {
        isGarbled = false;
        chunk.writeUInt8(chunk.readUInt8(0) ^ 1);
      }
      if (this.garbledPattern?.test(firstLine) === true) {
        this.garbledPattern = undefined;
        isGarbled = true;
      }
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (isLost) {
        this.lostCount += 1;
        client.destroy();
      } else {
        client.write(chunk);
      }
    });
    this.join(client, server);
    this.join(server, client);
  }

  private join(one: Socket, other: Socket): void {
    this.sockets.add(one);
    one.on('error', () => undefined);
    one.on('close', () => {
      this.sockets.delete(one);
      other.destroy();
    });
  }
}
