/**
 * An inference server in simulated time, without sockets: what it does, it does to the exchanges and
 * looks of a lane, as undici would.
 */
import { Buffer } from 'node:buffer';
import type { Dispatcher as UndiciDispatcher } from 'undici';
import type { Attempt } from '../../../src/upstream/attempt';
import type {
  Connection,
  ConnectionOptions,
  Exchange,
  ExchangeRequest,
} from '../../../src/upstream/exchange';
import type { ReadLoad } from '../../../src/upstream/engine-metrics';
import type { Look, Sight } from '../../../src/upstream/health-check';
import type { Transport } from '../../../src/upstream/transport';
import type { ManualClock } from './manual-clock';
import { completion } from './support';

/** `crash` takes the server down for a while, and with it everything that is in flight. */
export type Behaviour = 'answer' | 'reset' | 'garbage' | 'hang' | Refusal | 'crash';

type Refusal = 401 | 429 | 500 | 503;

/** A time in which the server is not there, for health checks neither. */
export interface Outage {
  readonly kind: 'refuse' | 'accept and close' | 503 | 'hang';
  readonly from: number;
  readonly to: number;
}

export interface SimulatedServerOptions {
  readonly clock: ManualClock;
  behaviourOf(ordinal: number): Behaviour;
  /** How long the line takes to be answered, or to fail, in milliseconds. */
  latencyOf(ordinal: number): number;
  /** In order, apart from each other. */
  readonly outages?: readonly Outage[];
  /** How long a restart takes after a crash. */
  readonly restartMs?: number;
  /** How long after an outage or a restart lines are refused, though health checks are passed. */
  readonly loadMs?: number;
  /** What health checks are answered with while the server is up. */
  readonly checkStatus?: number;
}

const instantMs = 1;
const checkTimeoutMs = 5_000;

export class SimulatedServer implements Transport {
  /** How often each line was received. */
  readonly received = new Map<number, number>();
  crashes = 0;
  checks = 0;
  private readonly calls = new Set<Call>();
  private restartsUntil = 0;

  constructor(private readonly options: SimulatedServerOptions) {
    const { clock, outages = [] } = options;
    for (const { kind, from } of outages) {
      clock.after(from, () => {
        this.interrupt(kind === 'hang' ? 'freeze' : 'cut');
      });
    }
  }

  get clock(): ManualClock {
    return this.options.clock;
  }

  connect(options: ConnectionOptions): Connection {
    return new SimulatedConnection(this, options);
  }

  readonly look: Look = (onSeen) => {
    this.checks += 1;
    const { checkStatus = 200 } = this.options;
    const state = this.state();
    const isUp = state === 'up' || state === 'load';
    const upSight: Sight = checkStatus < 500 ? 'well' : 'silent';
    const downSight: Sight = state === 'refuse' ? 'unreachable' : 'silent';
    return this.clock.after(state === 'hang' ? checkTimeoutMs : instantMs, () => {
      onSeen(isUp ? upSight : downSight);
    });
  };

  readonly readLoad: ReadLoad = (onRead) =>
    this.clock.after(instantMs, () => {
      onRead('absent');
    });

  /** An exchange has begun on the connection. */
  serve(call: Call): void {
    const { ordinal } = call;
    const state = this.state();
    if (state === 'refuse') {
      call.after(instantMs, () => {
        call.fail('ECONNREFUSED');
      });
      return;
    }
    this.calls.add(call);
    call.start();
    this.received.set(ordinal, (this.received.get(ordinal) ?? 0) + 1);
    const behaviour = state === 'up' ? this.options.behaviourOf(ordinal) : outcomeOf[state];
    const latencyMs = state === 'up' ? this.options.latencyOf(ordinal) : instantMs;
    call.after(latencyMs, () => {
      this.act(call, behaviour);
    });
  }

  ended(call: Call): void {
    this.calls.delete(call);
  }

  private act(call: Call, behaviour: Behaviour): void {
    switch (behaviour) {
      case 'answer':
        call.answer(200, completion);
        break;
      case 'garbage':
        call.answer(200, '<html></html>');
        break;
      case 401:
      case 429:
      case 500:
      case 503:
        call.answer(behaviour, '{"error":{"message":"no"}}');
        break;
      case 'reset':
        call.fail('ECONNRESET');
        break;
      case 'crash':
        this.crashes += 1;
        this.restartsUntil = this.clock.now() + (this.options.restartMs ?? 0);
        this.interrupt('cut');
        break;
      case 'hang':
        break;
    }
  }

  private state(): 'up' | 'load' | Outage['kind'] {
    const now = this.clock.now();
    const { outages = [], loadMs = 0 } = this.options;
    if (now < this.restartsUntil) {
      return 'refuse';
    }
    const outage = outages.find(({ from, to }) => from <= now && now < to);
    const ends = [this.restartsUntil, ...outages.map(({ to }) => to)];
    const isLoading = ends.some((end) => end > 0 && end <= now && now < end + loadMs);
    return outage?.kind ?? (isLoading ? 'load' : 'up');
  }

  private interrupt(how: 'cut' | 'freeze'): void {
    for (const call of [...this.calls]) {
      if (how === 'cut') {
        call.fail('ECONNRESET');
      } else {
        call.freeze();
      }
    }
  }
}

const outcomeOf = { 'accept and close': 'reset', 503: 503, hang: 'hang', load: 503 } as const;

class SimulatedConnection implements Connection {
  private call: Call | undefined;

  constructor(
    private readonly server: SimulatedServer,
    private readonly options: ConnectionOptions,
  ) {}

  get budget(): ConnectionOptions['budget'] {
    return this.options.budget;
  }

  get exchange(): Exchange | undefined {
    return this.call?.exchange;
  }

  send(exchange: Exchange, { body }: ExchangeRequest): void {
    const ordinal = Number(/"ordinal":(\d+)/.exec(Buffer.from(body).toString())?.[1]);
    this.call = new Call(this.server, exchange, ordinal);
    this.server.serve(this.call);
  }

  end(exchange: Exchange, attempt: Attempt): void {
    this.call = undefined;
    this.options.onExchangeEnd(exchange, attempt);
  }

  reset(error: Error): void {
    this.call?.abort(error);
  }

  close(): Promise<void> {
    this.call?.freeze();
    return Promise.resolve();
  }
}

/** One exchange as the server sees it. */
class Call {
  private cancel: (() => void) | undefined;
  private readonly controller: UndiciDispatcher.DispatchController = {
    aborted: false,
    paused: false,
    reason: null,
    rawHeaders: [],
    rawTrailers: [],
    pause: () => undefined,
    resume: () => undefined,
    abort: (error) => {
      this.abort(error);
    },
  };

  constructor(
    private readonly server: SimulatedServer,
    readonly exchange: Exchange,
    readonly ordinal: number,
  ) {}

  start(): void {
    this.exchange.onRequestStart(this.controller);
  }

  after(delayMs: number, callback: () => void): void {
    this.cancel = this.server.clock.after(delayMs, callback);
  }

  answer(status: number, body: string): void {
    this.end();
    this.exchange.onResponseStart(this.controller, status, {});
    this.exchange.onResponseData(this.controller, Buffer.from(body));
    this.exchange.onResponseEnd();
  }

  fail(code: string): void {
    this.abort(Object.assign(new Error(code), { code }));
  }

  abort(error: Error): void {
    this.end();
    this.exchange.onResponseError(this.controller, error);
  }

  /** Nothing comes of it any more. */
  freeze(): void {
    this.cancel?.();
  }

  private end(): void {
    this.freeze();
    this.server.ended(this);
  }
}
