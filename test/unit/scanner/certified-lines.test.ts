/**
 * Holds the scanner against `isUtf8`, `JSON.parse` and the rules, over mutants of valid lines: whatever
 * it certifies must be valid by them, with a custom ID and a model that are those they see. Of what it
 * does not certify it must know whether it is JSON, and the outline must be judged like the line.
 *
 * `LONGHAUL_FUZZ_LINES` asks for more mutants, `LONGHAUL_FUZZ_SEED` for others.
 */
import { isUtf8 } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import { firstByte, outlineOf } from '../../../activities/line-outline';
import { checkRequestLine, type CheckedLine } from '../../../src/domain/request-line';
import { LineScanner, type UncertifiedLine } from '../../../src/scanner/line-scanner';
import { model } from '../../support/batches';

const lineCount = Number(process.env['LONGHAUL_FUZZ_LINES'] ?? 100_000);
const seed = Number(process.env['LONGHAUL_FUZZ_SEED'] ?? Date.now() % 1_000_000);
const fileLines = 500;
const depthMax = 100;
const lineFeed = 0x0a;
const openBrace = 0x7b;

/** Numbers that look random, and are the same again with the same seed. */
class Random {
  constructor(private state: number) {}

  below(limit: number): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * limit);
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  shuffled<T>(values: readonly T[]): T[] {
    return values
      .map((value) => ({ value, rank: this.below(1_000_000) }))
      .sort((left, right) => left.rank - right.rank)
      .map(({ value }) => value);
  }
}

const scalars = [
  '0',
  '-1.5e+10',
  '1E5',
  'true',
  'false',
  'null',
  '""',
  '"a"',
  '"\\u0041\\n"',
  '"é😀"',
];

function jsonValue(random: Random, depth: number): string {
  const kind = depth > 4 ? 0 : random.below(4);
  const partCount = depth > 4 ? 0 : random.below(4);
  const parts = Array.from({ length: partCount }, () => jsonValue(random, depth + 1));
  switch (kind) {
    case 1:
      return `[${parts.join(random.of([',', ' , ', ',\t']))}]`;
    case 2:
      return `{${parts.map((part, at) => `"k${at}":${part}`).join(',')}}`;
    case 3:
      return JSON.stringify('x'.repeat(random.below(40)));
    default:
      return random.of(scalars);
  }
}

/** With `#` where the number of its custom ID belongs. */
function validLine(random: Random): string {
  const body = random.shuffled([
    `"model":"${random.of([model, model, 'other'])}"`,
    `"messages":${random.of(['[]', '""', '0', jsonValue(random, 1)])}`,
    `"stream":${random.of(['false', '0', '"true"'])}`,
    `"more":${jsonValue(random, 1)}`,
  ]);
  const members = random.shuffled([
    '"custom_id":"id-#"',
    '"method":"POST"',
    '"url":"/v1/chat/completions"',
    `"body":{${body.join(',')}}`,
    `"extra":${jsonValue(random, 1)}`,
  ]);
  return `{${members.join(random.of([',', ', ', '\t,']))}}${random.of(['', '\r', ' '])}`;
}

/** Pieces of text that matter somewhere in a line. */
const tokens = [
  ...Array.from('"\\{}[],:0-.eE+ \t\r\n/u\u0000\u001f\u007f'),
  ...['\\"', '\\\\', '\\u00', '\\ud800', '\\x', '00', '01', '1.', '.1', '1e', 'tru', 'null'],
  ...['"a":1,', ',"a":1', '"stream":true,', '"stream" : false,', '"model":"other",', '[[', ']]'],
  ...['"custom_id":"x",', '"messages":null,', '"method":"GET",', '"url":1,', '"body":{},', '{}'],
  ...['"\\u006dodel":"x",', '"b\\u006fdy":1,', '"__proto__":{},', '\ufeff', '\u2028', 'é', '😀'],
  ...['['.repeat(99), '['.repeat(97) + ']'.repeat(97), '{"a":'.repeat(100), 'x'.repeat(512)],
];
const oddBytes = [
  0x00, 0x1f, 0x22, 0x5c, 0x7f, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xf0, 0xf5, 0xff,
];

/** Members that may make a line invalid where they do not make it something else than JSON. */
const members = [
  ...['"stream":true,', '"stream":false,', '"model":"other",', `"model":"${model}",`, '"x":0,'],
  ...['"custom_id":"x",', '"custom_id":"",', '"custom_id":7,', '"method":"GET",', '"url":"/",'],
  ...['"messages":null,', '"messages":0,', '"body":{},', '"body":null,', '"__proto__":{},'],
  ...['"str\\u0065am":true,', '"mod\\u0065l":"other",', '"\\u0062ody":0,', '"url":null,'],
  ...[97, 98, 99, 100].map((depth) => `"x":${'['.repeat(depth)}${']'.repeat(depth)},`),
  ...[97, 98, 99, 100].map((depth) => `"x":${'{"":'.repeat(depth)}0${'}'.repeat(depth)},`),
];

type Mutation = (random: Random, line: Buffer) => Buffer;

function spliced(line: Buffer, at: number, removed: number, inserted: Buffer | string): Buffer {
  return Buffer.concat([
    line.subarray(0, at),
    Buffer.from(inserted as string),
    line.subarray(at + removed),
  ]);
}

function withMember(random: Random, line: Buffer): Buffer {
  const from = random.below(line.length);
  const place = random.of(['{', ',']);
  const at = Math.max(line.indexOf(place, from), line.indexOf(place));
  return spliced(line, at + 1, 0, random.of(members));
}

const mutations: readonly Mutation[] = [
  (_, line) => line,
  withMember,
  withMember,
  (random, line) => spliced(line, random.below(line.length), 0, random.of(tokens)),
  (random, line) => spliced(line, random.below(line.length), 1, random.of(tokens)),
  (random, line) => spliced(line, random.below(line.length), random.below(3), ''),
  (random, line) => spliced(line, random.below(line.length), random.below(60), ''),
  (random, line) => line.subarray(0, random.below(line.length)),
  (random, line) => {
    const from = random.below(line.length);
    const copy = line.subarray(from, from + random.below(40));
    return spliced(line, random.below(line.length), 0, copy);
  },
];
const byteMutations: readonly Mutation[] = [
  ...mutations,
  (random, line) =>
    spliced(line, random.below(line.length), random.below(2), Buffer.of(random.of(oddBytes))),
];

/** Lines of one file, each of them mutated up to twice. */
function mutantFile(
  random: Random,
  templates: readonly string[],
  kinds: readonly Mutation[],
): Buffer {
  const lines = Array.from({ length: fileLines }, (_, number) => {
    let line: Buffer = Buffer.from(random.of(templates).replace('#', String(number)));
    for (let times = random.below(3); times > 0; times--) {
      line = random.of(kinds)(random, line);
    }
    return Buffer.concat([line, Buffer.of(lineFeed)]);
  });
  return Buffer.concat(lines);
}

/** Of the text: a value that is replaced by another one under the same key counts. */
function depthOf(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const bracket of json.replaceAll(/"(?:[^"\\]|\\.)*"|[^[\]{}]/g, '')) {
    depth += '[{'.includes(bracket) ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

const rules = {
  endpoint: '/v1/chat/completions',
  hasModel: (name: string) => name === model,
} as const;

/** `undefined` when the line is not JSON. */
function parsed(line: Buffer): unknown {
  try {
    const text = line.toString('utf8');
    const value: unknown = JSON.parse(text);
    return isUtf8(line) && depthOf(text) <= depthMax ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `undefined` when the line is not valid. */
function checkedByRules(line: Buffer): CheckedLine | undefined {
  const checked = checkRequestLine(parsed(line), rules);
  return checked.problems.length === 0 ? checked : undefined;
}

function isOutlinedRightly(line: UncertifiedLine): boolean {
  const value = parsed(line.bytes);
  if (value === undefined) {
    return !isUtf8(line.bytes) || !line.isJson();
  }
  const checked = checkRequestLine(value, rules);
  return (
    line.isJson() &&
    (firstByte(line.bytes, 0) !== openBrace ||
      isDeepStrictEqual(checkRequestLine(outlineOf(line, 'messages'), rules), checked))
  );
}

interface Scanned {
  readonly certified: readonly number[];
  /** Lines that were not certified, and not outlined rightly. */
  readonly bad: readonly string[];
  /** Whether the ID is among those that the scanner has added for certified lines. */
  readonly hasAdded: (customId: string) => boolean;
}

function scan(file: Buffer, cut: number): Scanned {
  const certified: number[] = [];
  const bad: string[] = [];
  const scanner = new LineScanner(
    {
      url: '/v1/chat/completions',
      requiredMember: 'messages',
      lineBytesMax: 1_000_000,
      linesMax: file.length,
      fileBytes: file.length,
      hashKey: [1n, 2n],
    },
    {
      linesLeft: () => Infinity,
      onBlankLines: () => undefined,
      onCertifiedLines: ({ count, offsetOf }) => {
        certified.push(...Array.from({ length: count }, (_, index) => offsetOf(index)));
      },
      onUncertifiedLine: (line) => {
        if (!isOutlinedRightly(line)) {
          bad.push(line.bytes.toString('latin1'));
        }
      },
    },
  );
  scanner.acceptModel(model);
  scanner.add(file.subarray(0, cut));
  scanner.add(file.subarray(cut));
  scanner.end();
  return { certified, bad, hasAdded: (customId) => !scanner.addCustomId(customId) };
}

test(`whatever is certified is valid (seed ${seed})`, () => {
  const random = new Random(seed);
  const templates = Array.from({ length: 2_000 }, () => validLine(random));
  const counts = { lines: 0, valid: 0, certified: 0, bad: [] as string[] };
  while (counts.lines < lineCount) {
    const file = mutantFile(random, templates, random.of([mutations, byteMutations]));
    const { certified, bad, hasAdded } = scan(file, random.below(file.length));
    counts.bad.push(...bad);
    const left = new Set(certified);
    for (let offset = 0; offset < file.length;) {
      const line = file.subarray(offset, file.indexOf(lineFeed, offset));
      const checked = checkedByRules(line);
      counts.lines += 1;
      counts.valid += checked === undefined ? 0 : 1;
      if (left.delete(offset) && !(checked?.model === model && hasAdded(checked.customId ?? ''))) {
        counts.bad.push(line.toString('latin1'));
      }
      offset += line.length + 1;
    }
    counts.certified += certified.length;
    expect([...left]).toEqual([]);
  }
  expect(counts.bad).toEqual([]);
  // Neither side is idle: of the mutants a good part is valid, and nearly all of those are certified.
  expect(counts.valid).toBeGreaterThan(counts.lines * 0.2);
  expect(counts.valid).toBeLessThan(counts.lines * 0.8);
  expect(counts.certified).toBeGreaterThan(counts.valid * 0.9);
}, 600_000);
