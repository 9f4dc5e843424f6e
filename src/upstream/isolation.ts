import type { RouteState } from './line';

/** Nobody waits for a line of a route that is held: it is not sent. */
type IsolatedRoute = Pick<RouteState, 'isOpen'>;

/** How an attempt stood to the others when it was sent. */
export interface Company {
  readonly isSuspect: boolean;
  /** Position in the order of sending. */
  readonly number: number;
  /** Nothing else was in flight. */
  readonly isFirst: boolean;
}

/**
 * Finds the line that takes its upstream down, among those that were in flight each time. A line to
 * which that has happened again is a suspect: suspects are sent apart from all other lines, one at
 * first, one more at a time for each that is answered, and again one after each that is not. So
 * innocent lines get by in ever larger groups, and the culprit comes to be alone.
 */
export class Isolation {
  private allowance = 1;
  private suspects = 0;
  private others = 0;
  private sent = 0;
  /** A suspect that waits for the others in flight to end. */
  private first: { readonly line: object; readonly route: IsolatedRoute } | undefined;

  /**
   * Whether the line may be sent now. A suspect that may not keeps others from being sent, unless
   * its route is held, which may be for long while others of the upstream are well.
   */
  admits(line: object, isSuspect: boolean, route: IsolatedRoute): boolean {
    if (!isSuspect) {
      return this.suspects === 0 && this.first?.route.isOpen !== false;
    }
    const isAdmitted = this.others === 0 && this.suspects < this.allowance;
    if (!isAdmitted) {
      this.first ??= { line, route };
    }
    return isAdmitted;
  }

  onSent(line: object, isSuspect: boolean): Company {
    this.forget(line);
    const isFirst = this.suspects + this.others === 0;
    if (isSuspect) {
      this.suspects += 1;
    } else {
      this.others += 1;
    }
    this.sent += 1;
    return { isSuspect, number: this.sent, isFirst };
  }

  onEnd({ isSuspect }: Company, isAnswered: boolean): void {
    if (isSuspect) {
      this.suspects -= 1;
      this.allowance = isAnswered ? this.allowance + 1 : 1;
    } else {
      this.others -= 1;
    }
  }

  /** Whether nothing else was in flight for as long as the attempt was, up to now. */
  wasAlone({ isFirst, number }: Company): boolean {
    return isFirst && number === this.sent;
  }

  /** The line is not to be sent any more. */
  forget(line: object): void {
    if (this.first?.line === line) {
      this.first = undefined;
    }
  }
}
