import { noUsage, type Usage } from '../../src/domain/usage';
import type {
  Dispatcher,
  DispatchSession,
  LineOutcome,
  LineRequest,
  SessionOptions,
} from '../../src/upstream/dispatcher';

/** What becomes of a request; `undefined` keeps it in flight until it is released or given up. */
export type Respond = (request: LineRequest) => LineOutcome | undefined;

/** An answer with this body; 200 unless said otherwise. */
export function answered(
  body: string,
  more: { readonly status?: number; readonly usage?: Usage } = {},
): LineOutcome {
  const { status = 200, usage = noUsage } = more;
  return { answer: { status, upstreamRequestId: 'up-1', body: [Buffer.from(body)], usage } };
}

/**
 * A dispatcher without a network: outcomes come at once, a turn of the event loop later, or are
 * held. Everything that is submitted counts as in flight.
 */
export class FakeDispatcher implements Dispatcher {
  /** Every request that was submitted, in order, to whatever session. */
  readonly asked: LineRequest[] = [];
  readonly sessions: FakeSession[] = [];
  private readonly held: (() => void)[] = [];
  /** Outcomes by model. */
  private readonly outcomes = new Map<string, number>();

  constructor(
    /** Replaced by a test when the requests that follow shall end otherwise. */
    public respond: Respond = (request) => answered(`{"ordinal":${request.ordinal}}`),
    private readonly outstandingMax = 32,
  ) {}

  open(options: SessionOptions): DispatchSession {
    const { model } = options.route;
    const outcomesSoFar = (): number => this.outcomes.get(model) ?? 0;
    const session = new FakeSession(options, {
      outstandingMax: this.outstandingMax,
      outcomesSoFar,
      onOutcome: () => {
        this.outcomes.set(model, outcomesSoFar() + 1);
      },
      onSubmit: (request, finish) => {
        this.submit(request, finish);
      },
    });
    this.sessions.push(session);
    return session;
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }

  get askedOrdinals(): number[] {
    return this.asked.map(({ ordinal }) => ordinal);
  }

  get heldCount(): number {
    return this.held.length;
  }

  /** Ends what has been in flight longest with an answer; everything unless a count is given. */
  release(count = this.held.length): void {
    this.held.splice(0, count).forEach((finish) => {
      finish();
    });
  }

  private submit(request: LineRequest, finish: (outcome: LineOutcome) => void): void {
    this.asked.push(request);
    const outcome = this.respond(request);
    if (outcome === undefined) {
      this.held.push(() => {
        finish(answered(`{"late":${request.ordinal}}`));
      });
    } else {
      setImmediate(() => {
        finish(outcome);
      });
    }
  }
}

interface SessionParts {
  readonly outstandingMax: number;
  readonly outcomesSoFar: () => number;
  readonly onOutcome: () => void;
  onSubmit(request: LineRequest, finish: (outcome: LineOutcome) => void): void;
}

export class FakeSession implements DispatchSession {
  isDrained = false;
  isAborted = false;
  private readonly lines = new Set<LineRequest>();
  private waiting: (() => void)[] = [];

  constructor(
    readonly options: SessionOptions,
    private readonly parts: SessionParts,
  ) {}

  get outstanding(): number {
    return this.lines.size;
  }

  get routeOutcomes(): number {
    return this.parts.outcomesSoFar();
  }

  hasRoom(): boolean {
    return this.lines.size < this.parts.outstandingMax;
  }

  async waitForRoom(): Promise<void> {
    await this.until(() => this.hasRoom() || this.isDrained);
  }

  submit(request: LineRequest): void {
    if (this.isDrained) {
      throw new Error('A line was submitted to a session that was drained');
    }
    this.lines.add(request);
    this.parts.onSubmit(request, (outcome) => {
      if (this.lines.delete(request)) {
        this.parts.onOutcome();
        this.options.onOutcome(request, outcome);
        this.wake();
      }
    });
  }

  async drain(): Promise<void> {
    this.isDrained = true;
    this.wake();
    await this.until(() => this.lines.size === 0);
  }

  abort(): void {
    this.isDrained = true;
    this.isAborted = true;
    this.lines.clear();
    this.wake();
  }

  private async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private wake(): void {
    const woken = this.waiting;
    this.waiting = [];
    woken.forEach((resolve) => {
      resolve();
    });
  }
}
