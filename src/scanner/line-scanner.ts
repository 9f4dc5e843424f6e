/**
 * Takes the bytes of an input file as they come, and tells the lines in them apart: those that are
 * certified to be valid, and those that somebody has to look at.
 *
 * The bytes are collected in the scanner's memory until they end a line; whole lines are scanned
 * there, thousands with one call. Of a line above the limit nothing is kept but its length. So memory
 * is the table of custom IDs (8 bytes a slot, 8 million of them for the largest file, and a third of that
 * once while it grows) and a little more than the longest line.
 */
import { isUtf8 } from 'node:buffer';
import { createScannerInstance, type ScannerInstance } from './scanner-instance';

/** Two random 64-bit numbers; a new pair for each file. */
export type HashKey = readonly [bigint, bigint];

export interface ScannerOptions {
  /** What `url` of each line must be. */
  readonly url: string;
  /** The member that a body must have besides its model, if there is one. */
  readonly requiredMember: string | undefined;
  readonly lineBytesMax: number;
  /** Lines that will be scanned or added at most. */
  readonly linesMax: number;
  readonly fileBytes: number;
  readonly hashKey: HashKey;
}

/** A line that is not certified, without its line feed. */
export interface UncertifiedLine {
  /** Empty when the line is longer than the limit. Changes after the call: copy what is kept. */
  readonly bytes: Buffer;
  /** Where the line begins in the file. */
  readonly offset: number;
  readonly isTooLong: boolean;
  /** Whether it is one value of strict JSON in at most 100 levels, if it is UTF-8. */
  readonly isJson: () => boolean;
  /** How many elements a list has that begins so many bytes into a line that is JSON. */
  readonly countElements: (at: number) => number;
}

export interface CertifiedLines {
  readonly count: number;
  /** Texts, or lists of tokens, in all of them; of meaning for embeddings alone. */
  readonly inputCount: number;
  /** Where a line begins in the file; to be asked for during the call only. */
  readonly offsetOf: (index: number) => number;
}

/** Who is told of the lines. The order is that of the file, but for blank lines between certified ones. */
export interface LineVisitor {
  /** Lines to be told of at most from now on, blank ones not counted; beyond, nothing is read. */
  linesLeft(): number;
  onBlankLines(count: number): void;
  /** Lines that are valid, name an accepted model, and have a `custom_id` that was not there before. */
  onCertifiedLines(lines: CertifiedLines): void;
  onUncertifiedLine(line: UncertifiedLine): void;
}

const lineFeed = 0x0a;
const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf);
/** The scanner reads up to 16 bytes behind the last line feed. */
const readableBehind = 16;
const pageBytes = 65_536;
/** So much of a chunk at a time, so that it is still in the processor's cache when it is scanned. */
const pieceBytes = 262_144;
/** The shortest line with a custom ID: `{"custom_id":"a"}` and its line feed. */
const lineBytesMin = 18;
/** Models that take more are looked at with `JSON.parse`, each time. */
const modelBytesMax = 1_024;
const slotsMin = 1_024;
/** Behind the hash of the custom ID. */
const lineStartInRecord = 8;

export class LineScanner {
  private readonly instance: ScannerInstance;
  /** The scanner's memory; another view after each growth. */
  private memory: Buffer;
  /** Where the bytes begin that are not scanned yet, how many they are, and where in the file. */
  private readonly blockAt: number;
  private blockBytes = 0;
  private blockOffset = 0;
  /** Set within a line above the limit: how much of it has been read. */
  private longLineBytes: number | undefined;
  /**
   * Lines that are scanned with one call, twice as many with each call that finds nothing wrong. Those
   * behind a repeated custom ID are scanned in vain: a file may have nothing else.
   */
  private linesAtOnce = 1;

  constructor(
    private readonly options: ScannerOptions,
    private readonly visitor: LineVisitor,
  ) {
    const instance = createScannerInstance();
    this.instance = instance;
    this.blockAt = instance.open(slotsMaxFor(options), ...options.hashKey);
    this.memory = Buffer.from(instance.memory.buffer);
    instance.setUrl(this.writeScratch(JSON.stringify(options.url)));
    instance.setRequired(this.writeScratch(options.requiredMember ?? ''));
    instance.setLineBytesMax(options.lineBytesMax);
  }

  /** From now on lines that name this model may be certified. */
  acceptModel(model: string): void {
    const text = JSON.stringify(model);
    if (Buffer.byteLength(text) <= modelBytesMax) {
      this.instance.addModel(this.writeScratch(text));
    }
  }

  /** Adds the custom ID of a line that was not certified; false when it was there. */
  addCustomId(customId: string): boolean {
    return this.instance.addCustomId(this.writeScratch(customId)) !== 0;
  }

  /** Reads on. */
  add(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      this.addPiece(chunk.subarray(from, from + pieceBytes));
    }
  }

  /** To be called after the last byte: the last line need not end in a line feed. */
  end(): void {
    if (this.longLineBytes !== undefined || this.blockBytes > 0) {
      this.addPiece(Buffer.of(lineFeed));
    }
  }

  private addPiece(piece: Uint8Array): void {
    if (this.visitor.linesLeft() <= 0) {
      return;
    }
    const rest = this.longLineBytes === undefined ? piece : this.skipLongLine(piece);
    this.reserve(rest.length + readableBehind);
    this.memory.set(rest, this.blockAt + this.blockBytes);
    const lastFeed = rest.lastIndexOf(lineFeed);
    const lineBytes = this.blockBytes + lastFeed + 1;
    this.blockBytes += rest.length;
    if (lastFeed !== -1) {
      this.scanBlock(lineBytes);
    }
    if (this.blockBytes > this.options.lineBytesMax) {
      this.longLineBytes = this.blockBytes;
      this.blockBytes = 0;
    }
  }

  /** What follows the line above the limit in the piece. */
  private skipLongLine(piece: Uint8Array): Uint8Array {
    const end = piece.indexOf(lineFeed);
    this.longLineBytes = (this.longLineBytes ?? 0) + (end === -1 ? piece.length : end);
    if (end === -1) {
      return piece.subarray(piece.length);
    }
    const offset = this.blockOffset;
    this.blockOffset += this.longLineBytes + 1;
    this.longLineBytes = undefined;
    this.visitor.onUncertifiedLine({
      bytes: Buffer.alloc(0),
      offset,
      isTooLong: true,
      isJson: () => false,
      countElements: () => 0,
    });
    return piece.subarray(end + 1);
  }

  private reserve(bytes: number): void {
    const missing = this.blockAt + this.blockBytes + bytes - this.memory.length;
    if (missing > 0) {
      this.instance.memory.grow(Math.ceil(missing / pageBytes));
      this.memory = Buffer.from(this.instance.memory.buffer);
    }
  }

  /** Scans the first bytes of the block, which are whole lines, and moves the rest to the front. */
  private scanBlock(bytes: number): void {
    const end = this.blockAt + bytes;
    const from = this.blockAt + this.markBytes();
    if (isUtf8(this.memory.subarray(from, end))) {
      this.scanLines(from, end);
    } else {
      this.scanOneByOne(from, end);
    }
    this.memory.copyWithin(this.blockAt, end, this.blockAt + this.blockBytes);
    this.blockBytes -= bytes;
    this.blockOffset += bytes;
  }

  /** Some editors put a byte order mark before the first line. */
  private markBytes(): number {
    const { blockAt } = this;
    return this.blockOffset === 0 &&
      this.memory.subarray(blockAt, blockAt + byteOrderMark.length).equals(byteOrderMark)
      ? byteOrderMark.length
      : 0;
  }

  private scanOneByOne(from: number, end: number): void {
    for (let at = from; at < end;) {
      const next = this.memory.indexOf(lineFeed, at) + 1;
      if (isUtf8(this.memory.subarray(at, next))) {
        this.scanLines(at, next);
      } else if (this.visitor.linesLeft() > 0) {
        this.tellUncertified(at);
      }
      at = next;
    }
  }

  private scanLines(from: number, end: number): void {
    const { instance, visitor } = this;
    for (let at = from; at < end;) {
      const linesMax = Math.min(this.linesAtOnce, visitor.linesLeft());
      if (linesMax <= 0) {
        return;
      }
      at = instance.scan(at, end, linesMax);
      const lineCount = instance.lineCount.value;
      this.tellScanned(lineCount);
      if (at < end && lineCount < linesMax) {
        at = this.tellUncertified(at);
        this.linesAtOnce = 1;
      } else {
        this.linesAtOnce = Math.min(instance.recordsMax.value, this.linesAtOnce * 2);
      }
    }
  }

  private tellScanned(count: number): void {
    const { instance, visitor, memory } = this;
    const [recordsAt, recordBytes] = [instance.recordsAt.value, instance.recordBytes.value];
    const blockFrom = this.blockOffset - this.blockAt;
    visitor.onBlankLines(instance.blankCount.value);
    visitor.onCertifiedLines({
      count,
      inputCount: instance.inputCount.value,
      offsetOf: (index) =>
        blockFrom + memory.readUInt32LE(recordsAt + index * recordBytes + lineStartInRecord),
    });
  }

  /** Returns where the next line begins. */
  private tellUncertified(at: number): number {
    const end = this.memory.indexOf(lineFeed, at);
    const isTooLong = end - at > this.options.lineBytesMax;
    this.visitor.onUncertifiedLine({
      bytes: this.memory.subarray(at, isTooLong ? at : end),
      offset: at - this.blockAt + this.blockOffset,
      isTooLong,
      isJson: () => this.instance.isJson(at) !== 0,
      countElements: (within) => this.instance.countElements(at + within),
    });
    return end + 1;
  }

  /** Returns how many bytes the text takes. */
  private writeScratch(text: string): number {
    return this.memory.write(text, this.instance.scratchAt.value);
  }
}

/** Enough for all lines of the file to fill at most two thirds. */
function slotsMaxFor({ linesMax, fileBytes }: ScannerOptions): number {
  const lines = Math.min(linesMax, Math.ceil(fileBytes / lineBytesMin));
  return 2 ** Math.ceil(Math.log2(Math.max(slotsMin, lines * 1.5)));
}
