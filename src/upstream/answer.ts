/**
 * Turns the body of an upstream's answer into what may be spliced into a result line: exactly one
 * JSON value on one line. Its bytes are not printed anew, which would change numbers and drop
 * duplicate keys; only white space changes.
 */
import { isUtf8 } from 'node:buffer';
import { memberSpans } from '../domain/json-spans';
import { replaceByte } from '../domain/replace-byte';
import { noUsage, usageOf, type Usage } from '../domain/usage';
import { isJsonText } from '../scanner/json-text';

export interface ReadAnswer {
  readonly body: Uint8Array;
  readonly usage: Usage;
}

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;
const tab = 0x09;
const openBrace = 0x7b;

const errorTextLengthMax = 1_000;
const halfCharacterAtEnd = /[\ud800-\udbff]$/;

/** What is longer may take `JSON.parse` more than 20 ms; nothing but `usage` is of interest. */
const parsedBytesMax = 262_144;
const usageBytesMax = 4_096;

/**
 * Overwrites line breaks in `bytes` with spaces: in valid JSON they can only be white space.
 * A body that is not one JSON value in UTF-8, of at most 100 levels when it is large, is `undefined`
 * for a 2xx, and otherwise is put as text into an error object as OpenAI writes it. Never throws.
 *
 * @param isJson of a large body: what `isJsonText` says, where that is known already
 */
export function readAnswer(
  status: number,
  bytes: Buffer,
  isJson?: boolean,
): ReadAnswer | undefined {
  const usage = bytes.length > parsedBytesMax ? usageInLarge(bytes, isJson) : usageIn(bytes);
  if (usage !== undefined) {
    overwriteLineBreaks(bytes);
    return { body: trimmed(bytes), usage };
  }
  return isSuccess(status) ? undefined : { body: wrapped(status, bytes), usage: noUsage };
}

export function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
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

function usageInLarge(bytes: Buffer, isJson = isJsonText(bytes)): Usage | undefined {
  if (!isJson) {
    return undefined;
  }
  const [span] = bytes[firstByte(bytes)] === openBrace ? memberSpans(bytes, ['usage']) : [];
  return span === undefined || span.end - span.start > usageBytesMax
    ? noUsage
    : usageOf({ usage: JSON.parse(bytes.toString('utf8', span.start, span.end)) as unknown });
}

function firstByte(bytes: Buffer): number {
  let at = 0;
  while ((bytes[at] ?? Infinity) <= space) {
    at += 1;
  }
  return at;
}

function overwriteLineBreaks(bytes: Buffer): void {
  replaceByte(bytes, lineFeed, space);
  replaceByte(bytes, carriageReturn, space);
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
