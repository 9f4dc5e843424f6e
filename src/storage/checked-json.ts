/**
 * JSON objects with a checksum of themselves and of the key that they were written for.
 *
 *     {"total":3,"model":"small","shards":[…],"crc":2868340541}
 *
 * `crc` is the CRC-32, as in zlib, of the key followed by the text without `,"crc":…`. So an object
 * that was changed, cut, or copied from elsewhere is noticed. Readers that know no checksum see one
 * member more.
 */
import { crc32 } from 'node:zlib';

/** @param value an object with at least one member. */
export function encodeChecked(key: string, value: object): Buffer {
  const text = JSON.stringify(value);
  return Buffer.from(`${text.slice(0, -1)},"crc":${checksum(key, text)}}`);
}

/**
 * `undefined` when the bytes are not what was written under this key.
 *
 * @param isUnchecked whether a value without checksum is one of a version that wrote none.
 */
export function decodeChecked<T extends object>(
  key: string,
  bytes: Buffer,
  isUnchecked: (value: Partial<T>) => boolean,
): T | undefined {
  const written = bytes.toString('utf8');
  const ending = /,"crc":(\d{1,10})\}$/.exec(written.slice(-endingLengthMax));
  if (ending !== null) {
    const text = `${written.slice(0, -ending[0].length)}}`;
    return Number(ending[1]) === checksum(key, text) ? (JSON.parse(text) as T) : undefined;
  }
  const value = parsed(written);
  return value !== undefined && isUnchecked(value) ? (value as T) : undefined;
}

const endingLengthMax = ',"crc":4294967295}'.length;

function checksum(key: string, text: string): number {
  return crc32(text, crc32(key));
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
