import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { waitUntil } from '../../../scripts/local/wait';

/** A webhook as it arrived. */
export interface Delivery {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Deliveries = readonly [Delivery, ...Delivery[]];

/** A user's server that is told when batches end. */
export class WebhookReceiver {
  readonly deliveries: Delivery[] = [];
  private refusals = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<WebhookReceiver> {
    const server = createServer();
    const receiver = new WebhookReceiver(server);
    server.on('request', (request, response) => {
      void text(request).then((body) => {
        const headers = Object.entries(request.headers).map(([name, value]) => [
          name,
          String(value),
        ]);
        const { url = '' } = request;
        receiver.deliveries.push({ path: url, headers: Object.fromEntries(headers), body });
        response.writeHead(receiver.refusals > 0 ? 503 : 204).end();
        receiver.refusals -= 1;
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  urlOf(path: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}${path}`;
  }

  /** The next deliveries are refused. */
  refuse(count: number): void {
    this.refusals = count;
  }

  /** Deliveries about a batch on a path, once there are so many. */
  async waitFor(batchId: string, path: string, count = 1): Promise<Deliveries> {
    const found = (): Delivery[] =>
      this.deliveries.filter((one) => one.path === path && one.body.includes(batchId));
    await waitUntil(() => found().length >= count, {
      what: `${count} webhooks at ${path} about ${batchId}`,
      timeoutMs: 30_000,
    });
    return found() as [Delivery, ...Delivery[]];
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.server.close(() => {
        resolve();
      });
    });
  }
}
