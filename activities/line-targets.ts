/**
 * Where the lines of one slice go: all to one route, or each to that of the model it names. Each
 * route has a session with the dispatcher.
 *
 * Where there are several, one that stalls holds up the lines behind its own, because lines are read
 * in order. So a route that has had no outcome for a while, in any slice, is passed over for the rest
 * of the slice: its lines are left to the next one.
 */
import type { ModelRoute, ModelRoutes } from '../src/config/upstreams';
import { memberSpans } from '../src/domain/json-spans';
import type { DispatchSession } from '../src/upstream/dispatcher';

/** Longer than upstreams take between two answers, far shorter than a slice. */
const stallMs = 30_000;

export class LineTarget {
  private passedOver = false;

  constructor(readonly session: DispatchSession) {}

  /** Whether the slice leaves the lines of this route to the next one. */
  get isPassedOver(): boolean {
    return this.passedOver;
  }

  /** Resolves when the session has room, or when there is no point in waiting longer. */
  async waitForRoomOrStall(): Promise<void> {
    const { session } = this;
    const outcomes = session.routeOutcomes;
    let timer: NodeJS.Timeout | undefined;
    const stall = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.passedOver ||= !session.hasRoom() && session.routeOutcomes === outcomes;
        resolve();
      }, stallMs);
    });
    await Promise.race([session.waitForRoom(), stall]);
    clearTimeout(timer);
  }
}

export class LineTargets {
  private readonly targets = new Map<string, LineTarget>();
  private readonly missing = new Set<string>();
  private readonly single: LineTarget | undefined;

  /** @param only the route of all lines; `undefined` when each names its own model. */
  constructor(
    private readonly options: {
      readonly only: ModelRoute | undefined;
      readonly routes: ModelRoutes;
      open(route: ModelRoute): DispatchSession;
    },
  ) {
    this.single = options.only === undefined ? undefined : this.open(options.only);
  }

  /** `undefined` when no upstream serves the model of the line any more. */
  of(body: Uint8Array): LineTarget | undefined {
    return this.single ?? this.ofModel(modelOf(body));
  }

  get haveSeveral(): boolean {
    return this.single === undefined;
  }

  /** The models that no upstream serves any more, of the lines so far. */
  get missingModels(): readonly string[] {
    return [...this.missing];
  }

  /** Lines in flight or waiting. */
  get outstanding(): number {
    return this.sessions.reduce((sum, session) => sum + session.outstanding, 0);
  }

  async drain(): Promise<void> {
    await Promise.all(
      this.sessions.map(async (session) => {
        await session.drain();
      }),
    );
  }

  abort(): void {
    this.sessions.forEach((session) => {
      session.abort();
    });
  }

  private get sessions(): DispatchSession[] {
    return Array.from(this.targets.values(), ({ session }) => session);
  }

  private ofModel(model: string): LineTarget | undefined {
    const known = this.targets.get(model);
    if (known !== undefined) {
      return known;
    }
    const route = this.options.routes.get(model);
    if (route === undefined) {
      this.missing.add(model);
      return undefined;
    }
    return this.open(route);
  }

  private open(route: ModelRoute): LineTarget {
    const target = new LineTarget(this.options.open(route));
    this.targets.set(route.model, target);
    return target;
  }
}

/** Validation has seen to it that it is there, and a string. */
function modelOf(body: Uint8Array): string {
  const [span] = memberSpans(body, ['model']);
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString(
    'utf8',
    span?.start,
    span?.end,
  );
  return String(JSON.parse(text));
}
