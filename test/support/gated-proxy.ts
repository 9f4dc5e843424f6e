import type { Socket } from 'node:net';
import { firstLineOf, TcpProxy } from './tcp-proxy';

interface Hold {
  readonly pattern: RegExp;
  readonly waiting: Set<(fate: 'passed' | 'dropped') => void>;
}

/** A hundred kilobytes a second. */
const trickleBytes = 2_048;
const trickleIntervalMs = 20;

/**
 * Also lets requests wait and answers trickle until it is told otherwise; there is no time in it but
 * the pace of a trickle.
 */
export class GatedProxy extends TcpProxy {
  private readonly holds = new Set<Hold>();
  private readonly trickles: { readonly pattern: RegExp; count: number }[] = [];

  /**
   * HTTP requests whose first line matches wait until the returned object releases them, or drops
   * them with their connections: those of a client that has died would still reach the server.
   */
  hold(pattern: RegExp): { readonly heldCount: number; release(): void; drop(): void } {
    const hold: Hold = { pattern, waiting: new Set() };
    this.holds.add(hold);
    const end = (fate: 'passed' | 'dropped'): void => {
      this.holds.delete(hold);
      hold.waiting.forEach((goOn) => {
        goOn(fate);
      });
    };
    return {
      get heldCount() {
        return hold.waiting.size;
      },
      release: () => {
        end('passed');
      },
      drop: () => {
        end('dropped');
      },
    };
  }

  /** Answers to HTTP requests whose first line matches come so slowly that large ones never end; they are counted. */
  trickle(pattern: RegExp): { readonly count: number } {
    const trickle = { pattern, count: 0 };
    this.trickles.push(trickle);
    return trickle;
  }

  protected override relay(client: Socket, server: Socket): void {
    let isTrickling = false;
    client.on('data', (chunk: Buffer) => {
      const firstLine = firstLineOf(chunk);
      if (firstLine.endsWith(' HTTP/1.1')) {
        const trickle = this.trickles.find(({ pattern }) => pattern.test(firstLine));
        isTrickling = trickle !== undefined;
        if (trickle !== undefined) {
          trickle.count += 1;
        }
      }
      const pass = (): void => {
        this.notePassed(firstLine);
        server.write(chunk);
      };
      const hold = [...this.holds].find(({ pattern }) => pattern.test(firstLine));
      if (hold === undefined) {
        pass();
      } else {
        keepWaiting(hold, client, pass);
      }
    });
    server.on('data', (chunk: Buffer) => {
      if (isTrickling) {
        passSlowly(chunk, server, client);
      } else {
        client.write(chunk);
      }
    });
  }
}

function keepWaiting(hold: Hold, client: Socket, pass: () => void): void {
  client.pause();
  const goOn = (fate: 'passed' | 'dropped'): void => {
    hold.waiting.delete(goOn);
    if (fate === 'dropped') {
      client.destroy();
      return;
    }
    pass();
    client.resume();
  };
  hold.waiting.add(goOn);
  client.once('close', () => hold.waiting.delete(goOn));
}

function passSlowly(chunk: Buffer, from: Socket, to: Socket): void {
  from.pause();
  let offset = 0;
  const timer = setInterval(() => {
    to.write(chunk.subarray(offset, offset + trickleBytes));
    offset += trickleBytes;
    if (offset >= chunk.length || to.destroyed) {
      clearInterval(timer);
      from.resume();
    }
  }, trickleIntervalMs);
}
