import type { Socket } from 'node:net';
import { firstLineOf, TcpProxy } from './tcp-proxy';

/**
 * Also loses answers: the server has done what it was told, and the client never knows. And it
 * garbles requests.
 */
export class LossyProxy extends TcpProxy {
  /** How many answers were lost. */
  lostCount = 0;
  private pattern: RegExp | undefined;
  private cutPattern: RegExp | undefined;
  private garbledPattern: RegExp | undefined;

  get endpoint(): string {
    return `http://${this.address}`;
  }

  /** The next answer to a request whose first line matches is lost, with its connection. */
  loseAnswerTo(pattern: RegExp): void {
    this.pattern = pattern;
  }

  /** Breaks every connection at the next request whose first line matches, which is not passed on. */
  cutAt(pattern: RegExp): void {
    this.cutPattern = pattern;
  }

  /** The next request whose first line matches has another byte in its body, which must be large. */
  garbleRequest(pattern: RegExp): void {
    this.garbledPattern = pattern;
  }

  get isGarbled(): boolean {
    return this.garbledPattern === undefined;
  }

  protected override relay(client: Socket, server: Socket): void {
    let isLost = false;
    let isGarbled = false;
    client.on('data', (chunk: Buffer) => {
      const firstLine = firstLineOf(chunk);
      if (this.cutPattern?.test(firstLine) === true) {
        this.cutPattern = undefined;
        this.cut();
        return;
      }
      this.notePassed(firstLine);
      if (this.pattern?.test(firstLine) === true) {
        this.pattern = undefined;
        isLost = true;
      }
      if (isGarbled) {
        isGarbled = false;
        chunk.writeUInt8(chunk.readUInt8(0) ^ 1);
      }
      if (this.garbledPattern?.test(firstLine) === true) {
        this.garbledPattern = undefined;
        isGarbled = true;
      }
      server.write(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (isLost) {
        this.lostCount += 1;
        client.destroy();
      } else {
        client.write(chunk);
      }
    });
  }
}
