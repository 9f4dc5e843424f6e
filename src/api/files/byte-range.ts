import type { ByteRange } from '../../storage/object-store';

/**
 * What a `Range` header asks of a content that is not empty (RFC 9110 §14). `undefined`, the whole,
 * also for several ranges and for what is no range: a server may overlook the header.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes\s*=\s*(\d*)-(\d*)$/i.exec(header?.trim() ?? '') ?? [];
  if (first === '') {
    return last === '' ? undefined : suffix(Number(last), sizeBytes);
  }
  const offset = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (last !== '' && Number(last) < offset) {
    return undefined;
  }
  return offset < sizeBytes ? { offset, length: end - offset } : 'unsatisfiable';
}

function suffix(wanted: number, sizeBytes: number): ByteRange | 'unsatisfiable' {
  const length = Math.min(wanted, sizeBytes);
  return length > 0 ? { offset: sizeBytes - length, length } : 'unsatisfiable';
}
