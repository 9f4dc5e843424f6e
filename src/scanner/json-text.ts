/**
 * Strict JSON without making anything of it: `JSON.parse` may take a second for 15 MB, and 300 MB.
 *
 * Texts are read one after the other, in the memory of one scanner and in several turns of the event
 * loop, which the reading of some large ones at once would stop. That memory is kept: it is a little
 * more than the longest text so far.
 */
import { isUtf8 } from 'node:buffer';
import { copyInTurns } from '../domain/copy-in-turns';
import { memberSpans, type Span } from '../domain/json-spans';
import { createScannerInstance, type ScannerInstance } from './scanner-instance';

export interface UnreadText {
  /** That follow one another; the line breaks in them become spaces, if they are JSON. */
  readonly pieces: readonly Buffer[];
  /** The name of the one member that is of interest. */
  readonly member: string;
}

/** One JSON value on one line. */
export interface JsonText {
  /** Those that were given, without the white space around the value. */
  readonly pieces: readonly Buffer[];
  /** The JSON of the member, unless it is longer than 4 KiB. */
  readonly member: string | undefined;
}

const memberBytesMax = 4_096;
/** The scanner reads, and writes, up to 16 bytes behind the line feed that ends a text. */
const usableBehind = 17;
const pageBytes = 65_536;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

type Steps = Generator<undefined, JsonText | undefined>;

/**
 * Calls back in a later turn: with `undefined`, unless the text is one JSON value in UTF-8 of at most
 * 100 levels. About 400 MB/s; the longest step takes 3 ns a byte.
 */
export function readJsonText(text: UnreadText, onRead: (read: JsonText | undefined) => void): void {
  waiting.push({ steps: stepsOf(text), onRead });
  if (waiting.length === 1) {
    setImmediate(takeStep);
  }
}

const waiting: { readonly steps: Steps; onRead(read: JsonText | undefined): void }[] = [];

function takeStep(): void {
  const [first] = waiting;
  const step = first?.steps.next();
  if (step?.done === true) {
    waiting.shift();
  }
  if (waiting.length > 0) {
    setImmediate(takeStep);
  }
  if (step?.done === true) {
    first?.onRead(step.value);
  }
}

/** Nobody else may use the scanner until it has ended. */
function* stepsOf({ pieces, member }: UnreadText): Steps {
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const scanner = scannerFor(size);
  const { instance, textAt } = scanner;
  const text = Buffer.from(instance.memory.buffer, textAt, size);
  yield* copyInTurns(text, pieces);
  if (!scan(scanner, text, member)) {
    return undefined;
  }
  yield;
  const span = memberIn(scanner, text, member);
  instance.replaceByte(textAt, textAt + size, carriageReturn, space);
  return {
    pieces: copiedBack(text, pieces, {
      start: instance.valueAt.value - textAt,
      end: instance.valueEnd.value - textAt,
    }),
    member:
      span === undefined || span.end - span.start > memberBytesMax
        ? undefined
        : text.toString('utf8', span.start, span.end),
  };
}

function scan({ instance, textAt }: Scanner, text: Buffer, member: string): boolean {
  if (!isUtf8(text)) {
    return false;
  }
  const end = textAt + text.length;
  // A line feed ends the text. A carriage return means the same: white space, and nothing in a string.
  instance.replaceByte(textAt, end, lineFeed, carriageReturn);
  const memory = Buffer.from(instance.memory.buffer);
  memory[end] = lineFeed;
  const nameBytes = memory.write(JSON.stringify(member), instance.scratchAt.value);
  return instance.readText(textAt, nameBytes) !== 0;
}

function memberIn({ instance, textAt }: Scanner, text: Buffer, member: string): Span | undefined {
  if (instance.hasEscapedName.value !== 0) {
    return memberSpans(text, [member])[0];
  }
  const start = instance.memberAt.value;
  return start === 0
    ? undefined
    : { start: start - textAt, end: instance.memberEnd.value - textAt };
}

/** Into the pieces, so that no new memory is taken; returns those of the value. */
function copiedBack(text: Buffer, pieces: readonly Buffer[], value: Span): readonly Buffer[] {
  let at = 0;
  return pieces.flatMap((piece) => {
    const from = at;
    at += piece.length;
    text.copy(piece, 0, from, at);
    const start = Math.max(0, value.start - from);
    const end = Math.min(piece.length, value.end - from);
    return start < end ? [piece.subarray(start, end)] : [];
  });
}

interface Scanner {
  readonly instance: ScannerInstance;
  /** Where texts begin in its memory. */
  readonly textAt: number;
}

let opened: Scanner | undefined;

function scannerFor(size: number): Scanner {
  opened ??= openScanner();
  const { instance, textAt } = opened;
  const missing = textAt + size + usableBehind - instance.memory.buffer.byteLength;
  if (missing > 0) {
    instance.memory.grow(Math.ceil(missing / pageBytes));
  }
  return opened;
}

function openScanner(): Scanner {
  const instance = createScannerInstance();
  return { instance, textAt: instance.open(slots, 0n, 0n) };
}

/** Of the table of custom IDs, which is not used; a power of two. */
const slots = 1_024;
