import { Readable } from 'node:stream';
import fc from 'fast-check';
import { isBlank, readLines, type Line } from '../../../activities/line-reader';
import { holdsAsync } from '../../support/holds';

async function linesOf(chunks: readonly Buffer[], lineBytesMax = 1_000): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const some of readLines(Readable.from(chunks), { lineBytesMax })) {
    lines.push(...some);
  }
  return lines;
}

/** `bytes` cut at the given places. */
function chunksOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends
    .map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
    .filter((chunk) => chunk.length > 0);
}

async function check(text: string, expected: readonly [string, number][]): Promise<void> {
  const lines = await linesOf([Buffer.from(text)]);
  expect(lines.map(({ bytes, offset }) => [bytes.toString(), offset])).toEqual(expected);
}

test('lines end at line feeds, and each knows where it starts', async () => {
  await check('ab\nc\n', [
    ['ab', 0],
    ['c', 3],
  ]);
  await check('\n\nx\n', [
    ['', 0],
    ['', 1],
    ['x', 2],
  ]);
});

test('a large line is whole when it is told of', async () => {
  const large = Buffer.from(Array.from({ length: 5_000_000 }, (_, at) => 97 + (at % 26)));
  for (const end of ['\nb\nc', '']) {
    const bytes = Buffer.concat([Buffer.from('a\n'), large, Buffer.from(end)]);
    const chunks = chunksOf(
      bytes,
      Array.from({ length: 100 }, (_, at) => at * 50_001),
    );
    const lines = await linesOf(chunks, large.length);
    expect(lines.map(({ offset }) => offset).slice(0, 2)).toEqual([0, 2]);
    expect(lines[1]?.bytes.equals(large)).toBe(true);
    expect(lines.slice(2).map((line) => line.bytes.toString())).toEqual(
      end === '' ? [] : ['b', 'c'],
    );
  }
});

test('the last line need not end in a line feed', async () => {
  await check('a\nb', [
    ['a', 0],
    ['b', 2],
  ]);
  await check('', []);
});

test('a carriage return is part of its line', async () => {
  await check('a\r\nb\rc\n', [
    ['a\r', 0],
    ['b\rc', 3],
  ]);
});

test('what a line is does not depend on how the bytes arrive', async () => {
  const bytes = fc
    .array(fc.constantFrom('\n', 'a', 'bc', '\r', 'é', 'long text of a line'), { maxLength: 40 })
    .map((parts) => Buffer.from(parts.join('')));
  const property = fc.asyncProperty(
    bytes,
    fc.array(fc.nat(), { maxLength: 8 }),
    async (content, cuts) => {
      const whole = await linesOf([content], 12);
      expect(await linesOf(chunksOf(content, cuts), 12)).toEqual(whole);
      expect(whole.map(({ offset }) => offset)).toEqual(startsOf(content));
    },
  );
  await holdsAsync(property);
});

function startsOf(content: Buffer): number[] {
  const starts = [0];
  content.forEach((byte, at) => {
    if (byte === 10) {
      starts.push(at + 1);
    }
  });
  return starts.filter((start) => start < content.length);
}

test('of a line above the limit only its place is kept', async () => {
  const content = Buffer.from('12345\n123456\n1\n1234567');
  for (const chunks of [[content], Array.from(content, (byte) => Buffer.of(byte))]) {
    const lines = await linesOf(chunks, 5);
    expect(
      lines.map(({ bytes, offset, isTooLong }) => [bytes.toString(), offset, isTooLong]),
    ).toEqual([
      ['12345', 0, false],
      ['', 6, true],
      ['1', 13, false],
      ['', 15, true],
    ]);
  }
});

test('a line of white space is blank; a line that is too long is not', () => {
  const line = (text: string): Line => ({ bytes: Buffer.from(text), offset: 0, isTooLong: false });
  expect(['', ' \t\r', ' x', '\u00a0'].map((text) => isBlank(line(text)))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isBlank({ ...line(''), isTooLong: true })).toBe(false);
});
