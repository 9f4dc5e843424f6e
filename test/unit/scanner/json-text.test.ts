import fc from 'fast-check';
import { readJsonText, type JsonText } from '../../../src/scanner/json-text';
import { holdsAsync } from '../../support/holds';

async function readText(pieces: readonly Buffer[]): Promise<JsonText | undefined> {
  return await new Promise((resolve) => {
    readJsonText({ pieces, member: 'usage' }, resolve);
  });
}

function textOf(read: JsonText | undefined): string | undefined {
  return read === undefined ? undefined : Buffer.concat(read.pieces).toString();
}

const values = fc.json({ noUnicodeString: false }).map((json) => JSON.parse(json) as unknown);
const usages = fc.constantFrom<string | undefined>(
  '"usage":{"a":[1,"}"]}',
  '"usage":1,"usage": {"b":"\\""}',
  '"\\u0075sage":2',
  '"usage":3,"us\\u0061ge":{"c":4}',
  '"usages":5,"Usage":6',
  undefined,
);
const texts = fc.tuple(values, usages, fc.nat({ max: 3 })).map(([value, usage, indent]) => {
  const json = JSON.stringify(value, null, indent);
  return usage === undefined ? json : `\r\n{"x": ${json},\n${usage}, "y": null }\t\n`;
});
/** Some are damaged: a byte of them is another one. */
const damages = fc.option(
  fc.tuple(fc.nat({ max: 400 }), fc.constantFrom(10, 13, 34, 92, 125, 255)),
);
const cuts = fc.array(fc.nat({ max: 400 }), { maxLength: 4 });

test('what JSON.parse takes is read, in whatever pieces, and its member found', async () => {
  const property = fc.asyncProperty(texts, damages, cuts, async (text, damage, at) => {
    const bytes = Buffer.from(text);
    if (damage !== null && damage[0] < bytes.length) {
      bytes[damage[0]] = damage[1];
    }
    const expected = parsed(Buffer.from(bytes));
    const bounds = [0, ...at.filter((cut) => cut < bytes.length).sort((a, b) => a - b)];
    const pieces = bounds.map((from, index) => bytes.subarray(from, bounds[index + 1]));
    const read = await readText(pieces);
    const found = textOf(read);
    expect(found === undefined ? undefined : { value: JSON.parse(found) as unknown }).toEqual(
      expected,
    );
    expect(found ?? '').not.toMatch(/[\r\n]/);
    expect(found?.trim()).toBe(found);
    const member = read?.member;
    expect(member === undefined ? undefined : (JSON.parse(member) as unknown)).toEqual(
      usageOf(expected?.value),
    );
  });
  await holdsAsync(property);
});

function parsed(bytes: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', decoding).decode(bytes)) };
  } catch {
    return undefined;
  }
}

const decoding = { fatal: true, ignoreBOM: true };

function usageOf(value: unknown): unknown {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? Object.entries(value).find(([name]) => name === 'usage')?.[1] : undefined;
}

test('texts that come together are read one after the other', async () => {
  const all = Array.from({ length: 5 }, (_, index) => {
    const list = `[${`${index},`.repeat(2_000_000)}${index}]`;
    return [Buffer.from(`{"usage":${index},"list":`), Buffer.from(list), Buffer.from('}')];
  });
  const order: unknown[] = [];
  await Promise.all(
    all.map(async (pieces) => {
      const before = Buffer.concat(pieces);
      const read = await readText(pieces);
      order.push(read?.member);
      expect(Buffer.concat(read?.pieces ?? []).equals(before)).toBe(true);
    }),
  );
  expect(order).toEqual(['0', '1', '2', '3', '4']);
});

test('a large member is not of interest', async () => {
  const read = await readText([Buffer.from(`{"usage":"${'x'.repeat(5_000)}"}`)]);
  expect(read?.pieces).toHaveLength(1);
  expect(read?.member).toBeUndefined();
});

test.each([
  ['levels', '['.repeat(100_000), undefined],
  ['levels that end', `${'['.repeat(101)}${']'.repeat(101)}`, undefined],
  ['levels that are allowed', `${'['.repeat(100)}${']'.repeat(100)}`, 200],
  ['levels of objects', `${'{"a":'.repeat(101)}1${'}'.repeat(101)}`, undefined],
  ['white space', ' \n'.repeat(500_000), undefined],
  ['nothing but a quote', '"', undefined],
  ['an open escape', '"\\', undefined],
  ['nothing', '', undefined],
])('of %s', async (_what, text, expected) => {
  expect(textOf(await readText([Buffer.from(text)]))?.length).toBe(expected);
});
