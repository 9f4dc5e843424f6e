/**
 * Cuts a stream into lines at line feeds, in constant memory.
 *
 * A carriage return before the line feed stays: it is white space in JSON. `readline` would also
 * split at a lone carriage return, which is legal inside a JSON text, and is four times slower.
 */
import type { Readable } from 'node:stream';

/** A line without its line feed. */
export interface Line {
  /** Empty when the line is longer than the limit. */
  readonly bytes: Buffer;
  /** Where the line starts, counted from the start of the stream. */
  readonly offset: number;
  readonly isTooLong: boolean;
}

const lineFeed = 0x0a;

/** Yields the lines of each chunk together; the last line need not end in a line feed. */
export async function* readLines(
  source: Readable,
  options: { readonly lineBytesMax: number },
): AsyncGenerator<Line[]> {
  const cutter = new LineCutter(options.lineBytesMax);
  for await (const chunk of source) {
    yield cutter.cut(chunk as Buffer);
  }
  yield cutter.end();
}

/** Whether a line holds nothing but white space; such lines are not requests. */
export function isBlank(line: Line): boolean {
  return !line.isTooLong && line.bytes.every((byte) => byte === 0x20 || byte === 9 || byte === 13);
}

class LineCutter {
  private pieces: Buffer[] = [];
  private pieceBytes = 0;
  private offset = 0;

  constructor(private readonly lineBytesMax: number) {}

  cut(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let to = chunk.indexOf(lineFeed); to !== -1; to = chunk.indexOf(lineFeed, from)) {
      lines.push(this.complete(chunk.subarray(from, to)));
      this.offset += 1;
      from = to + 1;
    }
    this.keep(chunk.subarray(from));
    return lines;
  }

  end(): Line[] {
    return this.pieceBytes === 0 ? [] : [this.complete(Buffer.alloc(0))];
  }

  private complete(rest: Buffer): Line {
    this.keep(rest);
    const isTooLong = this.pieceBytes > this.lineBytesMax;
    const [first = rest] = this.pieces;
    const bytes = this.pieces.length > 1 ? Buffer.concat(this.pieces) : first;
    const line = { bytes: isTooLong ? Buffer.alloc(0) : bytes, offset: this.offset, isTooLong };
    this.offset += this.pieceBytes;
    this.pieces = [];
    this.pieceBytes = 0;
    return line;
  }

  /** Of a line above the limit only the length is kept. */
  private keep(piece: Buffer): void {
    if (piece.length > 0) {
      this.pieceBytes += piece.length;
      if (this.pieceBytes > this.lineBytesMax) {
        this.pieces = [];
      } else {
        this.pieces.push(piece);
      }
    }
  }
}
