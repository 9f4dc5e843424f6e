import { answerBytesMax } from '../domain/limits';
import { parsedBytesMax } from './answer';

/** A piece that has so many bytes does not grow any more. */
const pieceBytesMin = 32_768;
const fewChunks = 64;
const noBytes: Buffer = Buffer.alloc(0);

/**
 * The body of an answer as it arrives. It is kept as it came, but what is small is put together at
 * once: an upstream may send sixteen million pieces of one byte.
 */
export class AnswerBody {
  private total = 0;
  private chunks = 0;
  private readonly full: Buffer[] = [];
  /** The last piece, which has room for more. */
  private last = noBytes;
  private lastBytes = 0;

  get bytes(): number {
    return this.total;
  }

  /** It takes some time to receive, for its bytes or because they come one by one. */
  get isLarge(): boolean {
    return this.total > parsedBytesMax || this.chunks > fewChunks;
  }

  add(chunk: Buffer): void {
    this.total += chunk.length;
    this.chunks += 1;
    if (this.lastBytes >= pieceBytesMin) {
      this.full.push(this.last.subarray(0, this.lastBytes));
      this.lastBytes = 0;
    }
    const at = this.lastBytes;
    this.lastBytes += chunk.length;
    if (at === 0) {
      this.last = chunk;
    } else {
      this.last = withRoom(this.last, this.lastBytes);
      this.last.set(chunk, at);
    }
  }

  /** In one piece, for which all but a small body has to be copied. */
  whole(): Buffer {
    const last = this.last.subarray(0, this.lastBytes);
    return this.full.length === 0 ? last : Buffer.concat([...this.full, last]);
  }

  /** There is at least one. */
  pieces(): [Buffer, ...Buffer[]] {
    const last = this.last.subarray(0, this.lastBytes);
    const [first, ...others] = this.full;
    return first === undefined ? [last] : [first, ...others, last];
  }
}

function withRoom(piece: Buffer, bytes: number): Buffer {
  if (bytes <= piece.length) {
    return piece;
  }
  const larger = Buffer.allocUnsafeSlow(Math.max(bytes, Math.min(2 * bytes, answerBytesMax)));
  larger.set(piece);
  return larger;
}
