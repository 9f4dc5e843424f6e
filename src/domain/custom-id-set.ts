/**
 * The set of custom IDs of one file, to find those that occur twice.
 *
 * Five million IDs in a `Set` of strings take some 450 MB; this keeps 64 bits of a keyed hash of each
 * in an open-addressing table: 8 bytes a slot, at most 2/3 full. Two different IDs of one file have
 * the same 64 bits with a probability of 7e-7 at five million IDs. The hash is HalfSipHash-2-4 under
 * a random key, because IDs are chosen by clients, who could otherwise make them all collide.
 */

/** Two random 32-bit numbers; a new pair for each file. */
export type HashKey = readonly [number, number];

const slotsMin = 65_536;

export class CustomIdSet {
  private low = new Uint32Array(slotsMin);
  private high = new Uint32Array(slotsMin);
  private size = 0;
  private readonly hash: HalfSipHash;

  constructor(key: HashKey) {
    this.hash = new HalfSipHash(key);
  }

  /** Adds an ID; `false` when it was there. */
  add(customId: string): boolean {
    this.hash.of(customId);
    if (!this.insert(this.hash.low, this.hash.high)) {
      return false;
    }
    this.size += 1;
    if (this.size * 3 > this.low.length * 2) {
      this.grow();
    }
    return true;
  }

  /** Linear probing; the pair 0, 0 marks an empty slot, and no hash is that pair. */
  private insert(low: number, high: number): boolean {
    const mask = this.low.length - 1;
    let slot = (low & mask) >>> 0;
    while (this.low[slot] !== 0 || this.high[slot] !== 0) {
      if (this.low[slot] === low && this.high[slot] === high) {
        return false;
      }
      slot = (slot + 1) & mask;
    }
    this.low[slot] = low;
    this.high[slot] = high;
    return true;
  }

  private grow(): void {
    const { low, high } = this;
    this.low = new Uint32Array(low.length * 2);
    this.high = new Uint32Array(high.length * 2);
    low.forEach((each, slot) => {
      const other = high[slot] ?? 0;
      if (each !== 0 || other !== 0) {
        this.insert(each, other);
      }
    });
  }
}

/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein), over a string's UTF-16 code
 * units, two to a word. The result is left in fields: an object for each of millions of IDs costs
 * more than the hash.
 */
class HalfSipHash {
  low = 0;
  high = 0;
  private v0 = 0;
  private v1 = 0;
  private v2 = 0;
  private v3 = 0;

  constructor(private readonly key: HashKey) {}

  of(text: string): void {
    const [k0, k1] = this.key;
    this.v0 = k0;
    this.v1 = k1 ^ 0xee;
    this.v2 = 0x6c796765 ^ k0;
    this.v3 = 0x74656462 ^ k1;
    const pairs = text.length & ~1;
    for (let at = 0; at < pairs; at += 2) {
      this.mix(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
    }
    const last = text.length > pairs ? text.charCodeAt(pairs) : 0;
    this.mix(((text.length & 0xff) << 24) ^ last);
    this.v2 ^= 0xee;
    this.rounds(4);
    this.low = (this.v1 ^ this.v3) >>> 0;
    this.v1 ^= 0xdd;
    this.rounds(4);
    this.high = (this.v1 ^ this.v3) >>> 0;
    if (this.low === 0 && this.high === 0) {
      this.low = 1;
    }
  }

  private mix(word: number): void {
    this.v3 ^= word;
    this.rounds(2);
    this.v0 ^= word;
  }

  private rounds(count: number): void {
    let { v0, v1, v2, v3 } = this;
    for (let round = 0; round < count; round++) {
      v0 = (v0 + v1) | 0;
      v1 = rotated(v1, 5) ^ v0;
      v0 = rotated(v0, 16);
      v2 = (v2 + v3) | 0;
      v3 = rotated(v3, 8) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = rotated(v3, 7) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = rotated(v1, 13) ^ v2;
      v2 = rotated(v2, 16);
    }
    this.v0 = v0;
    this.v1 = v1;
    this.v2 = v2;
    this.v3 = v3;
  }
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
