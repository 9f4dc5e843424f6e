/**
 * Holds a route for down after many failures in a row, not all of them of one line that may itself be
 * the trouble, and then lets one request at a time try whether it is back: after 1 s, and ever more rarely down to every 30 s. Any answer closes it.
 *
 *   closed ──10 failures──► open ──delay──► probe due ──sent──► probing
 *     ▲                      ▲                                   │  │
 *     │                      └───────────── failure ─────────────┘  │
 *     └──────────────────────────── any answer ─────────────────────┘
 */
import type { Clock } from './clock';

const failuresToOpen = 10;
const probeDelayMsMin = 1_000;
const probeDelayMsMax = 30_000;

export interface CircuitBreakerOptions {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** `cause` is that of the last failure. */
  onOpen(cause: number | string): void;
  onClose(): void;
  onProbeDue(): void;
}

interface BreakerFailure {
  readonly isProbe: boolean;
  readonly suspect?: string | undefined;
}

type State = 'closed' | 'open' | 'probe_due' | 'probing';

export class CircuitBreaker {
  private state: State = 'closed';
  private failures = 0;
  /** The line that all failures in a row are of; null when they are of several, or of no line. */
  private suspect: string | null | undefined;
  private probes = 0;
  private cancelTimer: (() => void) | undefined;

  constructor(private readonly options: CircuitBreakerOptions) {}

  get isOpen(): boolean {
    return this.state !== 'closed';
  }

  /** Whether a request may be sent now. */
  admits(): boolean {
    return this.state === 'closed' || this.state === 'probe_due';
  }

  /** A request is sent; returns whether it is a probe, to be told with its end. */
  onSent(): boolean {
    if (this.state !== 'probe_due') {
      return false;
    }
    this.state = 'probing';
    return true;
  }

  onAnswer(): void {
    this.failures = 0;
    this.suspect = undefined;
    if (this.state === 'closed') {
      return;
    }
    this.state = 'closed';
    this.probes = 0;
    this.close();
    this.options.onClose();
  }

  /** @param failure.suspect the line, when that may have caused the failure. */
  onFailure(cause: number | string, failure: BreakerFailure): void {
    const { isProbe, suspect = null } = failure;
    this.failures += 1;
    this.suspect = this.suspect === undefined || this.suspect === suspect ? suspect : null;
    const isRouteDown = this.failures >= failuresToOpen && this.suspect === null;
    if (this.state === 'closed' && isRouteDown) {
      this.waitForProbe();
      this.options.onOpen(cause);
    } else if (isProbe && this.state === 'probing') {
      this.probes += 1;
      this.waitForProbe();
    }
  }

  /** A request was given up before anything was known of its fate. */
  onGivenUp(isProbe: boolean): void {
    if (isProbe && this.state === 'probing') {
      this.probeIsDue();
    }
  }

  /** Stops the timer. */
  close(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
  }

  private waitForProbe(): void {
    this.state = 'open';
    const delayMs = Math.min(probeDelayMsMax, probeDelayMsMin * 2 ** Math.min(this.probes, 16));
    this.cancelTimer = this.options.clock.after(delayMs * (0.5 + this.options.random() / 2), () => {
      this.probeIsDue();
    });
  }

  private probeIsDue(): void {
    this.cancelTimer = undefined;
    this.state = 'probe_due';
    this.options.onProbeDue();
  }
}
