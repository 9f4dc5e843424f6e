import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { outcomeKinds } from '../../../src/domain/outcome';
import {
  decodeFooter,
  decodeIndex,
  encodeSegment,
  footerBytes,
  segmentBytes,
  tailBytes,
  type SegmentIndex,
  type SegmentLine,
  type SegmentSummary,
} from '../../../src/ledger/segment';
import { holdsAsync } from '../../support/holds';
import { aSegmentLine } from '../../support/ledgers';

const key = 'the key';

function decoded(bytes: Buffer): { summary: SegmentSummary; index: SegmentIndex } | undefined {
  const summary = decodeFooter(bytes.subarray(-footerBytes), { key, sizeBytes: bytes.length });
  const index =
    summary && decodeIndex(bytes.subarray(-tailBytes(summary.lineCount), -footerBytes), summary);
  return summary && index && { summary, index };
}

const tokens = fc.integer({ min: 0, max: 2 ** 33 });
const lines: fc.Arbitrary<SegmentLine[]> = fc.uniqueArray(
  fc.record({
    ordinal: fc.nat({ max: 2 ** 32 - 1 }),
    kind: fc.constantFrom(...Object.values(outcomeKinds)),
    pieces: fc
      .array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 })
      .map((pieces) => [...pieces, Buffer.of(10)]),
    usage: fc.record({
      inputTokens: tokens,
      cachedTokens: tokens,
      outputTokens: tokens,
      reasoningTokens: tokens,
      totalTokens: tokens,
    }),
  }),
  { selector: ({ ordinal }) => ordinal, minLength: 1, maxLength: 30 },
);

test('any lines are read back as they were, in the order of their ordinals', async () => {
  const property = fc.asyncProperty(lines, async (given) => {
    const { bytes } = await encodeSegment(key, given);
    const read = decoded(bytes);
    const found = Array.from(read?.index.ordinals ?? [], (ordinal, at) => {
      const offset = read?.index.offsets[at] ?? 0;
      const line = bytes.subarray(offset, offset + (read?.index.lengths[at] ?? 0));
      return [ordinal, read?.index.kinds[at], line.toString('hex')];
    });
    const expected = given
      .toSorted((a, b) => a.ordinal - b.ordinal)
      .map((line) => [line.ordinal, line.kind, Buffer.concat(line.pieces).toString('hex')]);
    expect(found).toEqual(expected);
  });
  await holdsAsync(property);
});

test('what the encoder returns is what a reader finds', async () => {
  const property = fc.asyncProperty(lines, async (given) => {
    const { bytes, summary, index } = await encodeSegment(key, given);
    expect(decoded(bytes)).toEqual({ summary, index });
    expect(bytes).toHaveLength(segmentBytes(summary.lineCount, summary.linesBytes));
    expect(summary.linesCrc).toBe(crc32(bytes.subarray(0, summary.linesBytes)));
  });
  await holdsAsync(property);
});

test('the footer counts completed and failed lines and sums the tokens', async () => {
  const { summary } = await encodeSegment(key, [
    aSegmentLine(0, { usage: { inputTokens: 3, totalTokens: 4 } }),
    aSegmentLine(1, { outcome: 'failed' }),
    aSegmentLine(2, { outcome: 'cancelled' }),
    aSegmentLine(3, { outcome: 'expired' }),
    aSegmentLine(4, { usage: { inputTokens: 5, totalTokens: 6 } }),
  ]);
  expect(summary).toMatchObject({ lineCount: 5, completed: 2, failed: 1 });
  expect(summary.usage).toMatchObject({ inputTokens: 8, totalTokens: 10 });
});

test('large lines are checked whole', async () => {
  const pieces = [Buffer.alloc(3_000_000, 'a'), Buffer.alloc(70_000, 'b'), Buffer.from('\n')];
  const small = [aSegmentLine(0), aSegmentLine(2)];
  const { bytes, summary } = await encodeSegment(key, [
    ...small,
    { ...aSegmentLine(1), pieces },
    { ...aSegmentLine(3), pieces },
  ]);
  const large = Buffer.concat(pieces);
  const expected = Buffer.concat([Buffer.from('line 0\n'), large, Buffer.from('line 2\n'), large]);
  expect(bytes.subarray(0, summary.linesBytes).equals(expected)).toBe(true);
  expect(summary.linesCrc).toBe(crc32(expected));
});

describe('damage is detected', () => {
  let bytes: Buffer;
  let summary: SegmentSummary;

  beforeAll(async () => {
    ({ bytes, summary } = await encodeSegment(key, [
      aSegmentLine(0),
      aSegmentLine(1, { usage: { inputTokens: 1 } }),
      aSegmentLine(5, { outcome: 'failed' }),
    ]));
  });

  it('in any bit of index and footer', () => {
    for (let at = summary.linesBytes; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit);
        expect([at, bit, decoded(damaged)]).toEqual([at, bit, undefined]);
      }
    }
  });

  it('when the object is cut, or something follows it', () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(decoded(bytes.subarray(0, length))).toBeUndefined();
      expect(decoded(bytes.subarray(bytes.length - length))).toBeUndefined();
    }
    expect(decoded(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
    expect(decoded(Buffer.concat([Buffer.alloc(1), bytes]))).toBeUndefined();
  });
});
