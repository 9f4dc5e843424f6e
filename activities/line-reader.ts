/**
 * Cuts a stream into lines at line feeds, in constant memory.
 *
 * A carriage return before the line feed stays: it is white space in JSON. `readline` would also
 * split at a lone carriage return, which is legal inside a JSON text, and is four times slower.
 */
import type { Readable } from 'node:stream';
import { copiedBytesMax, copyInTurns } from '../src/domain/copy-in-turns';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** A line without its line feed. */
export interface Line {
  /** Empty when the line is longer than the limit. */
  readonly bytes: Buffer;
  /** Where the line starts, counted from the start of the stream. */
  readonly offset: number;
  readonly isTooLong: boolean;
}

const lineFeed = 0x0a;

/**
 * Yields the lines of each chunk together; the last line need not end in a line feed. A large one is
 * put together in turns of the event loop of its own.
 */
export async function* readLines(
  source: Readable | Iterable<Buffer>,
  options: { readonly lineBytesMax: number },
): AsyncGenerator<Line[]> {
  const cutter = new LineCutter(options.lineBytesMax);
  for await (const chunk of source) {
    const lines = cutter.cut(chunk as Buffer);
    await cutter.fillLargeLine();
    yield lines;
  }
  const last = cutter.end();
  await cutter.fillLargeLine();
  yield last;
}

/** Whether a line holds nothing but white space; such lines are not requests. */
export function isBlank({ bytes, isTooLong }: Line): boolean {
  let at = 0;
  while (isSpace(bytes[at])) {
    at += 1;
  }
  return at === bytes.length && !isTooLong;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 9 || byte === 13;
}

class LineCutter {
  private pieces: Buffer[] = [];
  /** A line without its bytes, which it gets last; a chunk ends one at most that began before it. */
  private large: { readonly bytes: Buffer; readonly pieces: readonly Buffer[] } | undefined;
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

  /** To be called before the lines that were cut are looked at. */
  async fillLargeLine(): Promise<void> {
    if (this.large === undefined) {
      return;
    }
    const { bytes, pieces } = this.large;
    this.large = undefined;
    const turns = copyInTurns(bytes, pieces);
    while (turns.next().done !== true) {
      await nextTurn();
    }
    await nextTurn();
  }

  private complete(rest: Buffer): Line {
    this.keep(rest);
    const isTooLong = this.pieceBytes > this.lineBytesMax;
    const bytes = isTooLong ? Buffer.alloc(0) : this.joined(rest);
    const line = { bytes, offset: this.offset, isTooLong };
    this.offset += this.pieceBytes;
    this.pieces = [];
    this.pieceBytes = 0;
    return line;
  }

  private joined(rest: Buffer): Buffer {
    const { pieces, pieceBytes } = this;
    if (pieces.length <= 1) {
      return pieces[0] ?? rest;
    }
    if (pieceBytes <= copiedBytesMax) {
      return Buffer.concat(pieces);
    }
    this.large = { bytes: Buffer.allocUnsafeSlow(pieceBytes), pieces };
    return this.large.bytes;
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
