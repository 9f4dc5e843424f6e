/**
 * Holds a route for down after many failures in a row, and then lets one request at a time try
 * whether it is back: after 1 s, and ever more rarely down to every 30 s. Any answer closes it. Lines
 * that may themselves be the trouble count once each: a few of them, failing again and again with
 * nobody else about, are not an outage.
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
  /** Failures in a row that no line can be the reason of. */
  private failures = 0;
  /** The lines that may be the reason of the others; never more than it takes to open. */
  private readonly suspects = new Set<string>();
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
    this.suspects.clear();
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
    const { isProbe, suspect } = failure;
    if (this.state === 'closed') {
      this.count(suspect);
      if (this.failures + this.suspects.size >= failuresToOpen) {
        this.waitForProbe();
        this.options.onOpen(cause);
      }
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

  private count(suspect: string | undefined): void {
    if (suspect === undefined) {
      this.failures += 1;
    } else {
      this.suspects.add(suspect);
    }
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
