/**
 * Turns the body of an upstream's answer into what may be spliced into a result line: exactly one
 * JSON value on one line. Its bytes are not printed anew, which would change numbers and drop
 * duplicate keys; only white space changes.
 */
import { isUtf8 } from 'node:buffer';
import { noUsage, usageOf, type Usage } from '../domain/usage';

export interface ReadAnswer {
  readonly body: Uint8Array;
  readonly usage: Usage;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;

const errorTextLengthMax = 1_000;
const halfCharacterAtEnd = /[\ud800-\udbff]$/;

const notJson = Symbol('not JSON');

/**
 * Overwrites line breaks in `bytes` with spaces: in valid JSON they can only be white space.
 * A body that is not one JSON value in UTF-8 is `undefined` for a 2xx, and otherwise is put as text
 * into an error object as OpenAI writes it. Never throws.
 */
export function readAnswer(status: number, bytes: Buffer): ReadAnswer | undefined {
  const value = parse(bytes);
  if (value !== notJson) {
    overwriteLineBreaks(bytes);
    return { body: trimmed(bytes), usage: usageOf(value) };
  }
  return isSuccess(status) ? undefined : { body: wrapped(status, bytes), usage: noUsage };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) {
    return notJson;
  }
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return notJson;
  }
}

function overwriteLineBreaks(bytes: Buffer): void {
  for (const lineBreak of [lineFeed, carriageReturn]) {
    for (let at = bytes.indexOf(lineBreak); at !== -1; at = bytes.indexOf(lineBreak, at + 1)) {
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
