/**
 * An upstream in the hands of a test: each of its gates is an inference server with one model, and
 * says of each request whether it is answered, held until the gate changes, or cut. So a batch can be
 * kept in one place by a condition, and many batches at a time do not disturb each other.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stringify } from 'yaml';

type Fate = 'answered' | 'held' | 'cut';

export class Gate {
  /** Inference requests received, those that were held or cut included; health checks are not. */
  requests = 0;
  /** How often a request was answered in full, by its `X-Request-Id`. */
  readonly answersById = new Map<string, number>();
  /** How long an answer takes once it is decided. */
  latencyMs = 0;
  /** Of the text of an answer, beside what always is in it. */
  paddingBytes = 0;
  private readonly held = new Set<() => void>();
  private fateOf: (index: number) => Fate = () => 'answered';

  constructor(readonly model: string) {}

  /** Requests that wait for the gate to change. */
  get heldCount(): number {
    return this.held.size;
  }

  get answeredCount(): number {
    return this.answersById.size;
  }

  /** Ids of requests that were answered more than once. */
  get answeredAgain(): string[] {
    return [...this.answersById].filter(([, count]) => count > 1).map(([id]) => id);
  }

  /** Decides anew, also about what is held. `index` is the number of the line. */
  set(fateOf: Fate | ((index: number) => Fate)): void {
    this.fateOf = typeof fateOf === 'string' ? () => fateOf : fateOf;
    const waiting = [...this.held];
    this.held.clear();
    waiting.forEach((decide) => {
      decide();
    });
  }

  /** Chat requests `request-0`, `request-1`, … without a final line feed each. */
  lines(count: number, padding = ''): string[] {
    return Array.from({ length: count }, (_, index) =>
      JSON.stringify({
        custom_id: `request-${index}`,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: this.model, messages: [{ role: 'user', content: `${index} ${padding}` }] },
      }),
    );
  }

  receive(request: IncomingMessage, body: string, response: ServerResponse): void {
    this.requests += 1;
    const id = String(request.headers['x-request-id']);
    const index = Number(/"content":"(\d+) /.exec(body)?.[1]);
    const decide = (): void => {
      const fate = this.fateOf(index);
      if (fate === 'held') {
        this.held.add(decide);
        response.once('close', () => this.held.delete(decide));
      } else if (fate === 'cut') {
        response.destroy();
      } else {
        setTimeout(() => {
          this.answer(id, response);
        }, this.latencyMs);
      }
    };
    decide();
  }

  /** A health check: the server is well unless it cuts what it is sent. */
  look(response: ServerResponse): void {
    if (this.fateOf(NaN) === 'cut') {
      response.destroy();
    } else {
      response.end('{}');
    }
  }

  private answer(id: string, response: ServerResponse): void {
    if (response.destroyed) {
      return;
    }
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const content = id + 'x'.repeat(this.paddingBytes);
    const choices = [{ index: 0, message: { role: 'assistant', content } }];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ object: 'chat.completion', choices, usage }));
    response.once('finish', () => this.answersById.set(id, (this.answersById.get(id) ?? 0) + 1));
  }
}

export class GatedUpstream {
  private readonly gates: readonly Gate[];
  private taken = 0;

  private constructor(
    private readonly server: Server,
    gateCount: number,
  ) {
    this.gates = Array.from({ length: gateCount }, (_, number) => new Gate(`gate-${number}`));
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      void this.handle(request, response);
    });
  }

  static async start(gateCount: number): Promise<GatedUpstream> {
    const server = createServer();
    const upstream = new GatedUpstream(server, gateCount);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return upstream;
  }

  /** A gate that nobody else has. */
  next(): Gate {
    const gate = this.gates[this.taken];
    if (gate === undefined) {
      throw new Error('The upstream of a test has too few gates');
    }
    this.taken += 1;
    return gate;
  }

  /** Content of an upstreams file that has an upstream for each gate. */
  upstreamsYaml(): string {
    const { port } = this.server.address() as AddressInfo;
    const upstreams = this.gates.map(({ model }) => ({
      name: model,
      base_url: `http://127.0.0.1:${port}/${model}`,
      max_in_flight: 16,
      models: [model],
    }));
    return stringify({ upstreams });
  }

  async close(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        chunks.push(chunk);
      }
    } catch {
      return;
    }
    const gate = this.gates.find(({ model }) => request.url?.startsWith(`/${model}/`) === true);
    if (request.method === 'GET') {
      gate?.look(response);
    } else {
      gate?.receive(request, Buffer.concat(chunks).toString(), response);
    }
  }
}
