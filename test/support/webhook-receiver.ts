/** A receiver of webhooks as a customer runs one: a real HTTP server on a port of its own. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import OpenAI from 'openai';
import { waitUntil } from '../../scripts/local/wait';
import { selfSignedCertificate } from './certificate';

export interface ReceivedWebhook {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

export class WebhookReceiver {
  readonly received: ReceivedWebhook[] = [];

  private constructor(
    private readonly server: Server,
    private readonly protocol: 'http' | 'https',
  ) {}

  /** @param answer called with each request; 200 when absent. */
  static async start(
    answer: Answer = (response) => response.end(),
    protocol: 'http' | 'https' = 'http',
  ): Promise<WebhookReceiver> {
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      void receiver.take(request).then(() => {
        answer(response, request);
      });
    };
    const server =
      protocol === 'http'
        ? createServer(onRequest)
        : createTlsServer(selfSignedCertificate, onRequest);
    const receiver = new WebhookReceiver(server, protocol);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  url(path = '/hook'): string {
    return `${this.protocol}://127.0.0.1:${this.port}${path}`;
  }

  /** Those for one path, or for all, once there are as many. */
  async wait(count: number, path?: string, timeoutMs = 60_000): Promise<ReceivedWebhook[]> {
    const some = (): ReceivedWebhook[] =>
      this.received.filter((one) => path === undefined || one.path === path);
    const what = `${count} webhooks ${path ?? ''}`;
    await waitUntil(async () => await Promise.resolve(some().length >= count), { what, timeoutMs });
    return some();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private async take(request: IncomingMessage): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8') as AsyncIterable<string>) {
      body += chunk;
    }
    const headers = request.headers as Record<string, string>;
    this.received.push({ path: request.url ?? '', headers, body });
  }
}

/** The event, when the official client finds its signature and its time right. */
export async function unwrapped(
  webhook: ReceivedWebhook | undefined,
  webhookSecret: string,
): Promise<unknown> {
  const { webhooks } = new OpenAI({ apiKey: 'none', webhookSecret });
  return await webhooks.unwrap(webhook?.body ?? '', { ...webhook?.headers });
}
