/**
 * Turns the body of an upstream's answer into what may be spliced into a result line: exactly one
 * JSON value on one line. Its bytes are not printed anew, which would change numbers and drop
 * duplicate keys; only white space changes.
 */
import { isUtf8 } from 'node:buffer';
import { noUsage, usageOf, type Usage } from '../domain/usage';
import { readJsonText, type JsonText } from '../scanner/json-text';

export interface ReadAnswer {
  /** In pieces that follow one another: one, unless it is large. */
  readonly body: readonly Buffer[];
  readonly usage: Usage;
}

/** What is longer may take `JSON.parse` more than 20 ms; nothing but `usage` is of interest. */
export const parsedBytesMax = 262_144;

/** One of more than {@link parsedBytesMax}. */
export interface LargeBody {
  /** As it came, or with line breaks overwritten. */
  readonly beginning: Buffer;
  /** `undefined` when it is not JSON. */
  readonly text: JsonText | undefined;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;

const errorTextLengthMax = 1_000;
const halfCharacterAtEnd = /[\ud800-\udbff]$/;

/** Calls back in a later turn of the event loop. Overwrites line breaks in the pieces with spaces. */
export function readLargeBody(
  pieces: readonly [Buffer, ...Buffer[]],
  onRead: (body: LargeBody) => void,
): void {
  readJsonText({ pieces, member: 'usage' }, (text) => {
    onRead({ beginning: pieces[0], text });
  });
}

/**
 * Overwrites line breaks in `body` with spaces: in valid JSON they can only be white space.
 * A body that is not one JSON value in UTF-8, of at most 100 levels when it is large, is `undefined`
 * for a 2xx, and otherwise is put as text into an error object as OpenAI writes it. Never throws.
 */
export function readAnswer(status: number, body: Buffer | LargeBody): ReadAnswer | undefined {
  const read = Buffer.isBuffer(body) ? readSmall(body) : readLarge(body);
  if (read !== undefined) {
    return read;
  }
  const beginning = Buffer.isBuffer(body) ? body : body.beginning;
  return isSuccess(status) ? undefined : { body: [wrapped(status, beginning)], usage: noUsage };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function readSmall(bytes: Buffer): ReadAnswer | undefined {
  const usage = usageIn(bytes);
  if (usage === undefined) {
    return undefined;
  }
  overwriteLineBreaks(bytes);
  return { body: [trimmed(bytes)], usage };
}

/** `undefined` when the bytes are not one JSON value. */
function usageIn(bytes: Buffer): Usage | undefined {
  if (!isUtf8(bytes)) {
    return undefined;
  }
  try {
    return usageOf(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
}

function readLarge({ text }: LargeBody): ReadAnswer | undefined {
  if (text === undefined) {
    return undefined;
  }
  const { pieces, member } = text;
  const usage = member === undefined ? noUsage : usageOf({ usage: JSON.parse(member) as unknown });
  return { body: pieces, usage };
}

function overwriteLineBreaks(bytes: Buffer): void {
  replaceBySpace(bytes, lineFeed);
  replaceBySpace(bytes, carriageReturn);
}

/** Searches for the first one only: an answer may be nothing but them. */
function replaceBySpace(bytes: Buffer, replaced: number): void {
  const first = bytes.indexOf(replaced);
  for (let at = first === -1 ? bytes.length : first; at < bytes.length; at++) {
    if (bytes[at] === replaced) {
      bytes[at] = space;
    }
  }
}

function trimmed(bytes: Buffer): Buffer {
  let start = 0;
  let end = bytes.length;
  while (isBlank(bytes[start])) {
    start += 1;
  }
  while (isBlank(bytes[end - 1])) {
    end -= 1;
  }
  return bytes.subarray(start, end);
}

function isBlank(byte: number | undefined): boolean {
  return byte === space || byte === tab;
}

function wrapped(status: number, bytes: Buffer): Buffer {
  // A character takes at most four bytes: the rest is not worth decoding.
  const text = bytes.toString('utf8', 0, errorTextLengthMax * 4).trim();
  const message =
    text === ''
      ? `The upstream answered with status ${status} and no readable text.`
      : text.slice(0, errorTextLengthMax).replace(halfCharacterAtEnd, '');
  return Buffer.from(
    JSON.stringify({ error: { message, type: 'upstream_error', param: null, code: null } }),
  );
}
