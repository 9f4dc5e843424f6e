import fc from 'fast-check';
import { holds } from '../../support/holds';
import { memberSpans } from '../../../src/domain/json-spans';

function spanTexts(text: string, keys: readonly string[]): (string | undefined)[] {
  const bytes = Buffer.from(text);
  return memberSpans(bytes, keys).map(
    (span) => span && bytes.subarray(span.start, span.end).toString(),
  );
}

function check(text: string, key: string, expected: string | undefined): void {
  expect(spanTexts(text, [key])).toEqual([expected]);
}

describe('the span of a member', () => {
  it('holds the value as it is written', () => {
    check('{"body":{"n":1.0e2}}', 'body', '{"n":1.0e2}');
    check('{"a":12345678901234567890}', 'a', '12345678901234567890');
    check('{"a":-1}', 'a', '-1');
    check('{"a":true,"b":null}', 'b', 'null');
    check('{"a":[]}', 'a', '[]');
    check('{"a":""}', 'a', '""');
  });

  it('is undefined where there is no such member', () => {
    check('{}', 'a', undefined);
    check('{ }', 'a', undefined);
    check('{"ab":1}', 'a', undefined);
    check('{"b":{"a":1}}', 'a', undefined);
    check('{"b":"a"}', 'a', undefined);
  });

  it('leaves out white space', () => {
    check(' \t\r\n{ \n"a" :\t[1, 2] \r\n, "b":2 }\r', 'a', '[1, 2]');
    check('{"a": 1 }', 'a', '1');
    check('{"a":1\n}', 'a', '1');
  });

  it('is not led astray by what strings hold', () => {
    check('{"x":"}","a":1}', 'a', '1');
    check('{"x":"\\"","a":1}', 'a', '1');
    check('{"x":"\\\\","a":1}', 'a', '1');
    check('{"x":"\\\\\\"a\\":2","a":1}', 'a', '1');
    check('{"x":{"y":"]}{[\\"}"},"a":1}', 'a', '1');
    check('{"x":"\\",\\"a\\":2","a":"\\\\\\""}', 'a', '"\\\\\\""');
  });

  it('finds a key that is written with escapes', () => {
    check('{"b\\u006fdy":1}', 'body', '1');
    check('{"b\\u006Fdy":1,"x":2}', 'x', '2');
    check('{"\\"":1,"a":2}', 'a', '2');
    check('{"é\\n":1,"a":2}', 'a', '2');
    check('{"\\u006d":1,"\\u006D\\u006fdel":2,"mode\\u006c\\u006c":3}', 'model', '2');
    check('{"\\u0062\\u006f\\u0064\\u0079":1,"\\body":2,"\\/body":3}', 'body', '1');
  });

  it('is that of the last of several members with one key', () => {
    check('{"a":1,"a":2}', 'a', '2');
    check('{"a":1,"\\u0061":2}', 'a', '2');
  });

  it('is looked for from a given byte on', () => {
    const bytes = Buffer.from('{"body":{"model":"m"}}');
    const [body] = memberSpans(bytes, ['body']);
    const [model] = memberSpans(bytes, ['model'], body?.start);
    expect(bytes.subarray(model?.start, model?.end).toString()).toBe('"m"');
  });
});

describe('any JSON object', () => {
  const keys = ['custom_id', 'body', 'model', '', 'ü'] as const;
  const space = fc
    .array(fc.constantFrom(' ', '\t', '\n', '\r'), { maxLength: 3 })
    .map((parts) => parts.join(''));
  /** A string in JSON, some of its characters written as escapes. */
  const printed = (text: fc.Arbitrary<string>): fc.Arbitrary<string> =>
    fc
      .tuple(text, fc.infiniteStream(fc.boolean()))
      .map(
        ([plain, choices]) => `"${Array.from(plain, (char) => escaped(char, choices)).join('')}"`,
      );

  function escaped(char: string, choices: Iterator<boolean>): string {
    return choices.next().value === true
      ? char.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      : JSON.stringify(char).slice(1, -1);
  }

  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', 'a', '😀') }),
  );
  const { value } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom('0', '-1.50', '1E+2', 'true', 'false', 'null'),
      printed(anyText),
      tie('list'),
      tie('object'),
    ),
    list: fc
      .array(fc.tuple(space, tie('value'), space), { maxLength: 3 })
      .map((items) => `[${items.map((item) => item.join('')).join(',')}]`),
    object: objectOf(tie('value')),
  }));

  function objectOf(member: fc.Arbitrary<string>): fc.Arbitrary<string> {
    const key = printed(fc.oneof(fc.constantFrom(...keys), anyText));
    return fc
      .tuple(fc.array(fc.tuple(space, key, space, space, member, space), { maxLength: 5 }), space)
      .map(([members, empty]) =>
        members.length === 0
          ? `{${empty}}`
          : `{${members
              .map(([a, name, b, c, text, d]) => `${a}${name}${b}:${c}${text}${d}`)
              .join(',')}}`,
      );
  }

  it('has spans whose text parses to what JSON.parse finds', () => {
    const wanted = keys.filter((key) => key !== 'ü');
    const property = fc.property(space, objectOf(value), space, (before, object, after) => {
      const text = `${before}${object}${after}`;
      const parsed = JSON.parse(text) as Record<string, unknown>;
      const found = spanTexts(text, wanted);
      wanted.forEach((key, index) => {
        const span = found[index];
        expect(span !== undefined).toBe(Object.hasOwn(parsed, key));
        expect(span === undefined ? undefined : JSON.parse(span)).toEqual(parsed[key]);
        expect(span?.trim()).toBe(span);
      });
    });
    holds(property, { numRuns: 500 });
  });
});
