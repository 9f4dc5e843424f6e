/** Strict JSON without making anything of it: `JSON.parse` may take a second for 15 MB, and 300 MB. */
import { isUtf8 } from 'node:buffer';
import { replaceByte } from '../domain/replace-byte';
import { createScannerInstance, type ScannerInstance } from './scanner-instance';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
/** The scanner reads up to 16 bytes behind the line feed that ends a text. */
const readableBehind = 17;
const pageBytes = 65_536;

/** Keeps its memory, which is a little more than the longest text so far. */
let opened: { readonly instance: ScannerInstance; readonly textAt: number } | undefined;

/** Whether bytes are one JSON value in UTF-8 of at most 100 levels; about 1 GB/s. */
export function isJsonText(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) {
    return false;
  }
  opened ??= openInstance();
  const { instance, textAt } = opened;
  const missing = textAt + bytes.length + readableBehind - instance.memory.buffer.byteLength;
  if (missing > 0) {
    instance.memory.grow(Math.ceil(missing / pageBytes));
  }
  const text = new Uint8Array(instance.memory.buffer, textAt, bytes.length + 1);
  text.set(bytes);
  // A line feed ends the text. A carriage return means the same: white space, and nothing in a string.
  replaceByte(text, lineFeed, carriageReturn);
  text[bytes.length] = lineFeed;
  return instance.isJson(textAt) !== 0;
}

function openInstance(): NonNullable<typeof opened> {
  const instance = createScannerInstance();
  return { instance, textAt: instance.open(slots, 0n, 0n) };
}

/** Of the table of custom IDs, which is not used; a power of two. */
const slots = 1_024;
