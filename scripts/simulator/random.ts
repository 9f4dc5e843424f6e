import { createHash } from 'node:crypto';

/** Numbers in [0, 1) that are the same for the same bytes. */
export type Random = () => number;

/** Mulberry32, seeded with the first four bytes of the SHA-256. */
export function randomFrom(bytes: Buffer | string): Random {
  let state = createHash('sha256').update(bytes).digest().readUInt32LE(0);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param items at least one. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) {
    throw new RangeError('There is nothing to pick from.');
  }
  return item;
}

export function integer(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** Log-normal, as the latencies of inference servers roughly are: most near the median, a long tail. */
export function logNormal(random: Random, median: number, sigma: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(sigma * normal);
}
