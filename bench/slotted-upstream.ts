/**
 * An upstream with slots, in a process of its own: so many requests are answered at a time, each
 * after the same time; others wait, as they do in an inference server, and only above `holdsMax` they
 * are refused. A request whose connection closes frees its slot at once.
 *
 * Callers are told apart by the first part of the path, `/worker-1/v1/…`, and request lines by their
 * `x-request-id`. Its one argument is {@link SlottedUpstreamOptions} as JSON, its one line on standard
 * output the port; it ends when its standard input does. `GET`:
 *
 *     /_stats           {@link SlottedUpstreamStats}
 *     /_answered        ids of the requests that were answered in full, one on a line
 *     /_reset           begins to count anew
 *     /_behave/hang     what becomes of requests from now on, one of {@link Behaviour}
 *     /_slots/32        from now on it has so many slots, and as many requests may wait as before
 *     /…/metrics        gauges of an inference server, if it has them
 */
import type { Socket } from 'node:net';
import { cannedAnswer } from './canned-answer';
import { httpAnswer, serveProgram } from './raw-http';

export interface SlottedUpstreamOptions {
  readonly slots: number;
  readonly latencyMs: number;
  /** Requests at a time, in slots and waiting; more are refused with 429. */
  readonly holdsMax: number;
  /** Remembers every id; without that, repeats and answered requests are not told. */
  readonly knowsIds: boolean;
  /** Tells how many requests are in slots, and how many wait, by the names of vLLM; no when absent. */
  readonly hasMetrics?: boolean;
}

/**
 * `answer`; `hang`: never; `cut`: close the connection; `halve`: close it in the middle of the
 * answer; `refuse`: 429 and `Retry-After: 1`.
 */
export type Behaviour = 'answer' | 'hang' | 'cut' | 'halve' | 'refuse';

/** Times are milliseconds since 1970; null before the first request. */
interface CallerStats {
  readonly requests: number;
  readonly answered: number;
  readonly firstRequestAt: number | null;
  readonly lastRequestAt: number | null;
}

export interface SlottedUpstreamStats {
  /** Everything received, refused or not. */
  readonly requests: number;
  /** With 429. */
  readonly refused: number;
  /** Requests above the first of each id. */
  readonly repeats: number;
  readonly answered: number;
  readonly lastRequestAt: number | null;
  readonly callers: Readonly<Record<string, CallerStats>>;
  /** Answers in each second since the counting began. */
  readonly answeredBySecond: readonly number[];
}

const answer = httpAnswer(cannedAnswer);
const refusal = httpAnswer('{"error":{"message":"Too many."}}', '429 Too Many Requests', [
  'retry-after: 1',
]);

const idHeader = 'x-request-id: ';

interface Call {
  readonly socket: Socket;
  readonly id: string;
  readonly caller: Caller;
  /** Of a call in a slot. */
  timer?: NodeJS.Timeout;
}

interface Caller {
  requests: number;
  answered: number;
  firstRequestAt: number | null;
  lastRequestAt: number | null;
}

class Counters {
  readonly startedAt = Date.now();
  refused = 0;
  readonly ids = new Set<string>();
  readonly answeredIds = new Set<string>();
  readonly callers = new Map<string, Caller>();
  readonly answeredBySecond: number[] = [];

  received(name: string): Caller {
    let caller = this.callers.get(name);
    if (caller === undefined) {
      caller = { requests: 0, answered: 0, firstRequestAt: null, lastRequestAt: null };
      this.callers.set(name, caller);
    }
    caller.requests += 1;
    caller.lastRequestAt = Date.now();
    caller.firstRequestAt ??= caller.lastRequestAt;
    return caller;
  }

  answered(caller: Caller): void {
    caller.answered += 1;
    const second = Math.floor((Date.now() - this.startedAt) / 1_000);
    this.answeredBySecond[second] = (this.answeredBySecond[second] ?? 0) + 1;
  }

  stats(): SlottedUpstreamStats {
    const callers = [...this.callers.values()];
    const requests = callers.reduce((sum, caller) => sum + caller.requests, 0);
    const lastRequestAt = Math.max(...callers.map((caller) => caller.lastRequestAt ?? 0));
    return {
      requests,
      refused: this.refused,
      repeats: this.ids.size === 0 ? 0 : requests - this.ids.size,
      answered: callers.reduce((sum, caller) => sum + caller.answered, 0),
      lastRequestAt: lastRequestAt > 0 ? lastRequestAt : null,
      callers: Object.fromEntries(this.callers),
      answeredBySecond: Array.from(
        this.answeredBySecond,
        (count: number | undefined) => count ?? 0,
      ),
    };
  }
}

class SlottedUpstream {
  private counters = new Counters();
  private behaviour: Behaviour = 'answer';
  private readonly held = new Map<Socket, Call>();
  private readonly waiting = new Set<Call>();
  private readonly known = new WeakSet<Socket>();
  private running = 0;
  private slots: number;

  constructor(private readonly options: SlottedUpstreamOptions) {
    this.slots = options.slots;
  }

  receive(socket: Socket, header: string): void {
    const { counters } = this;
    const caller = counters.received(header.slice(header.indexOf('/') + 1).split('/', 1)[0] ?? '');
    const id = idOf(header);
    if (this.options.knowsIds) {
      counters.ids.add(id);
    }
    if (this.behaviour === 'cut') {
      socket.destroy();
    } else if (this.behaviour === 'refuse' || this.held.size >= this.holdsMax()) {
      counters.refused += 1;
      socket.write(refusal);
    } else {
      this.hold({ socket, id, caller });
    }
  }

  control(path: string): string {
    const [, action, argument] = path.split('/');
    if (action === '_answered') {
      return [...this.counters.answeredIds].join('\n');
    }
    if (action === '_reset') {
      this.counters = new Counters();
    } else if (action === '_behave') {
      this.behaviour = argument as Behaviour;
    } else if (action === '_slots') {
      this.slots = Number(argument);
      this.fillSlots();
    }
    return JSON.stringify(this.counters.stats());
  }

  /** `undefined` when it has none. */
  metrics(): string | undefined {
    const { running, waiting } = this;
    return this.options.hasMetrics === true
      ? `vllm:num_requests_running{model_name="bench-model"} ${running}\n` +
          `vllm:num_requests_waiting{model_name="bench-model"} ${waiting.size}\n`
      : undefined;
  }

  private holdsMax(): number {
    const { slots, holdsMax } = this.options;
    return this.slots + holdsMax - slots;
  }

  private hold(call: Call): void {
    const { socket } = call;
    if (!this.known.has(socket)) {
      this.known.add(socket);
      socket.once('close', () => {
        this.release(this.held.get(socket));
      });
    }
    this.held.set(socket, call);
    if (this.behaviour === 'hang') {
      return;
    }
    this.waiting.add(call);
    this.fillSlots();
  }

  private fillSlots(): void {
    for (const call of this.waiting) {
      if (this.running >= this.slots) {
        return;
      }
      this.waiting.delete(call);
      this.running += 1;
      call.timer = setTimeout(() => {
        this.finish(call);
      }, this.options.latencyMs);
    }
  }

  private finish(call: Call): void {
    const { socket, caller, id } = call;
    const { counters } = this;
    this.release(call);
    if (this.behaviour === 'halve') {
      socket.write(answer.subarray(0, answer.length / 2), () => socket.destroy());
      return;
    }
    socket.write(answer, (error) => {
      if (error === null || error === undefined) {
        counters.answered(caller);
        if (this.options.knowsIds) {
          counters.answeredIds.add(id);
        }
      }
    });
  }

  private release(call: Call | undefined): void {
    if (call === undefined) {
      return;
    }
    this.held.delete(call.socket);
    this.waiting.delete(call);
    if (call.timer !== undefined) {
      clearTimeout(call.timer);
      this.running -= 1;
      this.fillSlots();
    }
  }
}

function idOf(header: string): string {
  const from = header.indexOf(idHeader) + idHeader.length;
  const to = header.indexOf('\r', from);
  return header.slice(from, to === -1 ? undefined : to);
}

const upstream = new SlottedUpstream(JSON.parse(process.argv[2] ?? '') as SlottedUpstreamOptions);
serveProgram({
  onGet: (socket, header) => {
    const [, path = ''] = header.toString('latin1').split(' ');
    if (path.endsWith('/metrics')) {
      const metrics = upstream.metrics();
      socket.write(metrics === undefined ? httpAnswer('', '404 Not Found') : httpAnswer(metrics));
    } else {
      socket.write(httpAnswer(upstream.control(path)));
    }
  },
  onRequest: (socket, header) => {
    upstream.receive(socket, header.toString('latin1'));
  },
});
