/**
 * Finds where the members of a JSON object lie in its bytes, without parsing their values.
 *
 * Bodies are spliced, never re-printed: `JSON.stringify(JSON.parse(x))` changes numbers and drops
 * duplicate keys. So the parts that have to be read or replaced are addressed by byte span.
 *
 * The input must be one valid JSON object in UTF-8; validation has seen to that, and for anything
 * else the result is unspecified. A key that occurs twice counts with its last value, as in
 * `JSON.parse`.
 */

/** Bytes `start` (included) to `end` (excluded). */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const space = 0x20;

/**
 * Spans of the named members' values, in the order of `keys`; `undefined` where the object that
 * starts at or after `from` has no such member.
 */
export function memberSpans(
  bytes: Uint8Array,
  keys: readonly string[],
  from = 0,
): (Span | undefined)[] {
  const spans: (Span | undefined)[] = keys.map(() => undefined);
  let at = skipSpace(bytes, from) + 1;
  for (;;) {
    at = skipSpace(bytes, at);
    const byte = bytes[at];
    if (byte === comma) {
      at += 1;
      continue;
    }
    if (byte !== quote) {
      return spans;
    }
    const keyEnd = skipString(bytes, at);
    const index = indexOfKey(bytes, at + 1, keyEnd - 1, keys);
    const start = skipSpace(bytes, skipColon(bytes, keyEnd));
    const end = skipValue(bytes, start);
    if (index >= 0) {
      spans[index] = { start, end };
    }
    at = end;
  }
}

function indexOfKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  keys: readonly string[],
): number {
  return keys.findIndex((key) => isKey(bytes, start, end, key));
}

/** Only letters and underscores are looked for: of all escapes, `\u` alone stands for such. */
function isKey(bytes: Uint8Array, start: number, end: number, key: string): boolean {
  let at = start;
  let index = 0;
  while (index < key.length && at < end) {
    const isEscaped = bytes[at] === backslash;
    if ((isEscaped ? escapedUnit(bytes, at) : bytes[at]) !== key.charCodeAt(index)) {
      return false;
    }
    at += isEscaped ? unicodeEscapeBytes : 1;
    index += 1;
  }
  return at === end && index === key.length;
}

const unicodeEscapeBytes = 6;
const letterU = 0x75;

/** As in `\u006f`; `undefined` for other escapes. */
function escapedUnit(bytes: Uint8Array, at: number): number | undefined {
  if (bytes[at + 1] !== letterU) {
    return undefined;
  }
  let unit = 0;
  for (let digit = at + 2; digit < at + unicodeEscapeBytes; digit++) {
    unit = unit * 16 + hexValue(bytes[digit] ?? 0);
  }
  return unit;
}

function hexValue(byte: number): number {
  return byte < 0x40 ? byte - 0x30 : (byte | 0x20) - 0x57;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && byte <= space; byte = bytes[at]) {
    at += 1;
  }
  return at;
}

function skipColon(bytes: Uint8Array, from: number): number {
  const at = skipSpace(bytes, from);
  return bytes[at] === colon ? at + 1 : at;
}

/** A search costs as much as so many bytes looked at one by one. */
const searchedBehind = 32;

/**
 * From an opening quote to behind the closing one. Searches for that where strings are long, and no
 * more than once: a large line may have nothing but escaped quotes.
 */
function skipString(bytes: Uint8Array, from: number): number {
  const near = from + 1 + searchedBehind;
  for (let at = from + 1; at < near; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      return at + 1;
    }
    if (byte === backslash) {
      return skipEscapedString(bytes, at);
    }
  }
  const end = bytes.indexOf(quote, near);
  if (end === -1) {
    return bytes.length;
  }
  return bytes[end - 1] === backslash ? skipEscapedString(bytes, near) : end + 1;
}

/** From within a string, but not within an escape, to behind the closing quote. */
function skipEscapedString(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quote) {
      return at + 1;
    }
    at += byte === backslash ? 1 : 0;
  }
  return bytes.length;
}

function skipValue(bytes: Uint8Array, from: number): number {
  switch (bytes[from]) {
    case quote:
      return skipString(bytes, from);
    case openBrace:
    case openBracket:
      return skipNested(bytes, from);
    case undefined:
    default:
      return skipScalar(bytes, from);
  }
}

function skipNested(bytes: Uint8Array, from: number): number {
  let depth = 0;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === quote) {
      at = skipString(bytes, at) - 1;
    } else if (byte >= openBracket) {
      depth += nesting(byte);
      if (depth === 0) {
        return at + 1;
      }
    }
  }
  return bytes.length;
}

/** Opening and closing brackets differ by two, square ones and braces in one bit. */
function nesting(byte: number): number {
  const square = byte & ~0x20;
  return square === openBracket ? 1 : square === closeBracket ? -1 : 0;
}

function skipScalar(bytes: Uint8Array, from: number): number {
  let at = from;
  for (let byte = bytes[at]; byte !== undefined && !endsScalar(byte); byte = bytes[at]) {
    at += 1;
  }
  return at;
}

function endsScalar(byte: number): boolean {
  return byte <= space || byte === comma || byte === closeBrace || byte === closeBracket;
}
