import type { TransformCallback } from 'node:stream';
import { Transform } from 'node:stream';
import { ApiError } from '../http/api-error';

const blanks = new Set([...Buffer.from(' \t\r\n')]);
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;
const openingBrace = '{'.charCodeAt(0);

/** Passes the content of an upload on, counts it, limits it, and looks at how it begins. */
export class ContentProbe extends Transform {
  sizeBytes = 0;
  /** Whether the first line that is not blank begins as a JSON object does. */
  looksLikeJsonLines = false;
  private sniffing = true;

  constructor(private readonly bytesMax: number) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.sniffing) {
      this.sniff(chunk);
    }
    this.sizeBytes += chunk.length;
    if (this.sizeBytes > this.bytesMax) {
      done(new ApiError('invalidRequest', 'File is too large.'));
    } else {
      done(null, chunk);
    }
  }

  private sniff(chunk: Buffer): void {
    const isMark = (byte: number, index: number): boolean =>
      byte === byteOrderMark[this.sizeBytes + index];
    const first = chunk.find((byte, index) => !blanks.has(byte) && !isMark(byte, index));
    if (first !== undefined) {
      this.sniffing = false;
      this.looksLikeJsonLines = first === openingBrace;
    }
  }
}
