/**
 * A stream over a long response that goes on where it broke off.
 *
 * Time counts only while the reader wants bytes: it may pause for as long as it likes, and where the
 * store is restarted meanwhile, the stream resumes when the reader does.
 */
import { Readable } from 'node:stream';
import { StoreFault } from './object-store';

export interface ReadSource {
  readonly first: Readable;
  /** Bytes from the first to the last, all responses together. */
  readonly sizeBytes: number;
  readonly idleTimeoutMs: number;
  /** The response from a byte on, counted from the start of this read. @throws StoreFault */
  reopen(offset: number): Promise<Readable>;
}

/** Responses in a row that bring no byte at all. */
const fruitlessMax = 5;

export class ResumingRead extends Readable {
  private response: Readable | undefined;
  private isWanted = false;
  private isReopening = false;
  private receivedBytes = 0;
  private fruitless = 0;
  private idleTimer: NodeJS.Timeout | undefined;

  constructor(private readonly source: ReadSource) {
    super();
    this.attach(source.first);
  }

  override _read(): void {
    this.isWanted = true;
    if (this.response === undefined) {
      this.reopen();
    } else {
      this.startIdleTimer(this.response);
      this.response.resume();
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.stopIdleTimer();
    this.response?.destroy();
    callback(error);
  }

  private attach(response: Readable): void {
    this.response = response;
    response.on('error', (error) => {
      this.breakOff(response, error);
    });
    response.on('end', () => {
      this.end(response);
    });
    response.on('close', () => {
      this.end(response);
    });
    response.on('data', (chunk: Buffer) => {
      this.receive(response, chunk);
    });
    this.startIdleTimer(response);
    if (response.destroyed) {
      this.end(response);
    }
  }

  private receive(response: Readable, chunk: Buffer): void {
    if (this.response !== response) {
      return;
    }
    this.receivedBytes += chunk.length;
    this.fruitless = 0;
    if (this.push(chunk)) {
      this.idleTimer?.refresh();
    } else {
      this.isWanted = false;
      this.stopIdleTimer();
      response.pause();
    }
  }

  private end(response: Readable): void {
    if (this.response !== response) {
      return;
    }
    if (this.receivedBytes < this.source.sizeBytes) {
      this.breakOff(response, new Error('The response ended early'));
      return;
    }
    this.stopIdleTimer();
    this.response = undefined;
    this.push(null);
  }

  private breakOff(response: Readable, cause: Error): void {
    if (this.response !== response || this.destroyed) {
      return;
    }
    this.stopIdleTimer();
    this.response = undefined;
    response.destroy();
    this.fruitless += 1;
    if (this.fruitless > fruitlessMax) {
      this.destroy(new StoreFault('A read of the object store keeps breaking off', { cause }));
      return;
    }
    if (this.isWanted) {
      this.reopen();
    }
  }

  private reopen(): void {
    if (this.isReopening || this.receivedBytes === this.source.sizeBytes) {
      return;
    }
    this.isReopening = true;
    this.source.reopen(this.receivedBytes).then(
      (next) => {
        this.isReopening = false;
        if (this.destroyed) {
          next.on('error', () => undefined).destroy();
        } else {
          this.attach(next);
        }
      },
      (error: unknown) => this.destroy(error as Error),
    );
  }

  private startIdleTimer(response: Readable): void {
    this.idleTimer ??= setTimeout(() => {
      this.breakOff(response, new Error(`No byte for ${this.source.idleTimeoutMs} ms`));
    }, this.source.idleTimeoutMs);
  }

  private stopIdleTimer(): void {
    clearTimeout(this.idleTimer);
    this.idleTimer = undefined;
  }
}
