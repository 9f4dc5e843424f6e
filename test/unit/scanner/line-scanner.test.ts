import { compileScanner } from '../../../scripts/scanner/compile-scanner';
import { LineScanner, type HashKey } from '../../../src/scanner/line-scanner';
import { scannerBinary } from '../../../src/scanner/scanner-binary';
import { createScannerInstance } from '../../../src/scanner/scanner-instance';

test('the module in the repository is what its source compiles to', () => {
  expect(compileScanner().toString('base64')).toBe(scannerBinary);
}, 120_000);

describe('custom ids', () => {
  const key: HashKey = [0x0706050403020100n, 0x0f0e0d0c0b0a0908n];

  function addedTwice(ids: readonly string[], hashKey: HashKey = key): string[] {
    const options = {
      url: '/v1/embeddings',
      requiredMember: undefined,
      lineBytesMax: 1_000,
      linesMax: ids.length,
      fileBytes: ids.length * 100,
      hashKey,
    };
    const scanner = new LineScanner(options, {
      linesLeft: () => 0,
      onBlankLines: () => undefined,
      onCertifiedLines: () => undefined,
      onUncertifiedLine: () => undefined,
    });
    return ids.filter((id) => !scanner.addCustomId(id));
  }

  it('that occur again are found among many', () => {
    const ids = Array.from({ length: 200_000 }, (_, number) => `id-${number}`);
    const again = ['id-0', 'id-199999', 'id-43690'];
    expect(addedTwice([...ids, ...again])).toEqual(again);
  });

  it('that differ in any small way are not taken for each other', () => {
    const ids = ['a', 'b', 'ab', 'ba', 'a ', ' a', 'A', 'ä', 'a\u0308', 'é', '\u0000', '\u0000a'];
    const lengths = Array.from({ length: 512 }, (_, length) => 'x'.repeat(length + 1));
    const tails = Array.from({ length: 511 }, (_, length) => `${'y'.repeat(length)}z`);
    const zeros = Array.from({ length: 20 }, (_, length) => '\u0000'.repeat(length + 2));
    expect(
      addedTwice([...ids, ...lengths, ...tails, ...zeros, '😀', '😁', '語'.repeat(512)]),
    ).toEqual([]);
  });

  it('are hashed with SipHash-1-3', () => {
    // From the paper: SipHash-2-4 of the bytes 0 to 14 under this key.
    const bytes = Uint8Array.from({ length: 15 }, (_, byte) => byte);
    expect(sipHash(bytes, { compress: 2, finalize: 4 })).toBe(0xa129ca6149be45e5n);
    for (let length = 1; length < 40; length++) {
      const id = Buffer.from(Array.from({ length }, (_, at) => (at * 37) % 128));
      expect(hashOf(id)).toBe(sipHash(id, { compress: 1, finalize: 3 }));
    }
  });

  /** The one entry of a table that holds nothing else. */
  function hashOf(id: Buffer): bigint {
    const slots = 16;
    const instance = createScannerInstance();
    const behind = instance.open(slots, ...key);
    instance.addCustomId(id.copy(Buffer.from(instance.memory.buffer), instance.scratchAt.value));
    const table = new BigUint64Array(instance.memory.buffer, behind - slots * 11, slots);
    return table.reduce((sum, entry) => sum + entry, 0n);
  }

  /** SipHash as its paper has it (Aumasson and Bernstein, 2012). */
  function sipHash(
    bytes: Uint8Array,
    rounds: { readonly compress: number; readonly finalize: number },
  ): bigint {
    let [v0, v1] = [key[0] ^ 0x736f6d6570736575n, key[1] ^ 0x646f72616e646f6dn];
    let [v2, v3] = [key[0] ^ 0x6c7967656e657261n, key[1] ^ 0x7465646279746573n];
    const mix = (count: number): void => {
      for (let round = 0; round < count; round++) {
        [v0, v2] = [word(v0 + v1), word(v2 + v3)];
        [v1, v3] = [rotated(v1, 13n) ^ v0, rotated(v3, 16n) ^ v2];
        [v0, v2] = [word(rotated(v0, 32n) + v3), word(v2 + v1)];
        [v1, v3] = [rotated(v1, 17n) ^ v2, rotated(v3, 21n) ^ v0];
        v2 = rotated(v2, 32n);
      }
    };
    const padded = Buffer.alloc(Math.ceil((bytes.length + 1) / 8) * 8);
    padded.set(bytes);
    padded[padded.length - 1] = bytes.length;
    for (let at = 0; at < padded.length; at += 8) {
      const next = padded.readBigUInt64LE(at);
      v3 ^= next;
      mix(rounds.compress);
      v0 ^= next;
    }
    v2 ^= 0xffn;
    mix(rounds.finalize);
    return v0 ^ v1 ^ v2 ^ v3;
  }

  function word(value: bigint): bigint {
    return BigInt.asUintN(64, value);
  }

  function rotated(value: bigint, bits: bigint): bigint {
    return word(value << bits) | (value >> (64n - bits));
  }
});
