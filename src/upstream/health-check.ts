/**
 * Tells a server that is down from lines that are the trouble themselves: `GET {base_url}/models`,
 * which every server that speaks OpenAI's API answers at once, without a model having to work. Any
 * HTTP answer below 500 says that the server is well, be it that the path is unknown or the key wrong.
 *
 * There are servers that answer lines, but not this. They are found out: when the first line is
 * answered, or one while its upstream is held for down, the check is verified by another look. One
 * that fails then is not believed any more, unless it has proved itself before: then it takes two in
 * a row. A server that cannot even be reached is down in any case.
 */
import type { Dispatcher } from 'undici';
import { SingleGet, type GetTarget } from './single-get';

/** `silent`: reached, but it answered with 5xx, not at all, or not in time. */
export type Sight = 'well' | 'silent' | 'unreachable';

/** Looks once, and calls back once; the returned function gives up, and then nobody is called. */
export type Look = (onSeen: (sight: Sight) => void) => () => void;

export class HealthCheck {
  /** Verifications in a row that failed. */
  private contradictions = 0;
  private hasProved = false;
  private giveUp: (() => void) | undefined;

  constructor(private readonly look: Look) {}

  /** Takes the place of a check that is under way. */
  start(onEnd: (isWell: boolean) => void): void {
    this.run((sight) => {
      onEnd(sight === 'well' || (sight === 'silent' && !this.isBelieved));
    });
  }

  /** The server has just answered a line, so it is well. */
  verify(): void {
    this.run((sight) => {
      if (sight === 'silent') {
        this.contradictions += 1;
      }
    });
  }

  stop(): void {
    this.giveUp?.();
    this.giveUp = undefined;
  }

  private get isBelieved(): boolean {
    return this.contradictions < (this.hasProved ? 2 : 1);
  }

  private run(onSeen: (sight: Sight) => void): void {
    this.stop();
    this.giveUp = this.look((sight) => {
      this.giveUp = undefined;
      if (sight === 'well') {
        this.contradictions = 0;
        this.hasProved = true;
      }
      onSeen(sight);
    });
  }
}

/** No body is read. */
export function lookOverHttp(target: GetTarget): Look {
  return (onSeen) => {
    const exchange = new StatusExchange(target, onSeen);
    return () => {
      exchange.end();
    };
  };
}

class StatusExchange extends SingleGet<Sight> {
  override onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status >= 200) {
      this.end(status < 500 ? 'well' : 'silent');
    }
  }

  protected override fail(): void {
    this.end(this.isSent ? 'silent' : 'unreachable');
  }
}
