import {
  isSuccess,
  readAnswer,
  readLargeBody,
  type ReadAnswer,
} from '../../../src/upstream/answer';
import { noUsage } from '../../../src/domain/usage';

function read(status: number, text: string | Buffer): string | undefined {
  return textOf(readAnswer(status, Buffer.from(text)));
}

function textOf(answer: ReadAnswer | undefined): string | undefined {
  return answer === undefined ? undefined : Buffer.concat(answer.body).toString();
}

async function readInPieces(
  status: number,
  text: string | Buffer,
): Promise<ReadAnswer | undefined> {
  const bytes = Buffer.from(text);
  const half = Math.floor(bytes.length / 2);
  return await new Promise((resolve) => {
    readLargeBody([bytes.subarray(0, half), bytes.subarray(half)], (body) => {
      resolve(readAnswer(status, body));
    });
  });
}

describe('an answer', () => {
  it.each([
    ['{"a":12345678901234567890,"b":1.0,"c":1e400,"d":-0}'],
    ['{"a":1,"a":2,"__proto__":{"x":1}}'],
    ['{"text":"\\u0041\\n\\ud83d\\ude00 é \u2028"}'],
    ['[]'],
    ['null'],
    ['"text"'],
  ])('keeps its bytes: %s', (text) => {
    expect(read(200, text)).toBe(text);
  });

  it('loses its line breaks, which become spaces, and the white space around it', () => {
    expect(read(200, '\r\n {\r\n  "a": [\n\t1,\n2 ]\n}\t\r\n\r\n')).toBe('{    "a": [ \t1, 2 ] }');
  });

  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['HTML', '<html></html>'],
    ['two values', '{}{}'],
    ['two lines', '{}\n{}'],
    ['half a value', '{"a":'],
    ['a byte order mark', '\ufeff{}'],
    ['a raw line break within a string', '{"a":"\n"}'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ])('with 2xx that is %s is none', (_what, text) => {
    expect(readAnswer(200, Buffer.from(text))).toBeUndefined();
  });

  it('may be nested deeply', () => {
    const nested = '['.repeat(10_000) + ']'.repeat(10_000);
    expect(read(200, nested)).toBe(nested);
    expect(readAnswer(200, Buffer.from('['.repeat(1_000_000)))).toBeUndefined();
  });

  it.each([
    ['{"a":12345678901234567890,"a":1.0,"usage":{"total_tokens":3}}'],
    ['{"usage":{"prompt_tokens":1},"\\u0075sage":{"total_tokens":\r\n4}}\n'],
    ['{"text":"\\u0041\\n\\ud83d\\ude00 é \u2028","usage":null}'],
    [`{"usage":{"total_tokens":5,"more":"${'x'.repeat(1_000)}"}}`],
    ['[{"usage":{"total_tokens":6}}]\r\n'],
    ['"\n"'],
    ['1'],
    [''],
    ['{}\n{}'],
    ['{"usage":'],
    ['\ufeff{}'],
    [Buffer.from([0x22, 0xff, 0x22])],
  ])('is read no otherwise when it is large: %s', async (text) => {
    const large = Buffer.concat([Buffer.alloc(300_000, ' \n\r'), Buffer.from(text)]);
    for (const status of [200, 400]) {
      expect((await readInPieces(status, large))?.usage).toEqual(
        readAnswer(status, Buffer.from(text))?.usage,
      );
    }
    expect(textOf(await readInPieces(200, large))).toBe(read(200, text));
  });

  it('that is large is never made into objects', async () => {
    // With `JSON.parse` a second and 300 MB.
    const text = `{"usage":{"total_tokens":1},"choices":[${'{},'.repeat(5_000_000)}{}]}`;
    expect(await readInPieces(200, text)).toMatchObject({ usage: { totalTokens: 1 } });
    const deep = `[${' '.repeat(300_000)}${'['.repeat(100)}${']'.repeat(100)}]`;
    expect(await readInPieces(200, deep)).toBeUndefined();
    expect(await readInPieces(200, deep.slice(1, -1))).toBeDefined();
  });

  it('says what it used', () => {
    const text =
      '{"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}';
    expect(readAnswer(200, Buffer.from(text))?.usage).toEqual({
      inputTokens: 7,
      cachedTokens: 4,
      outputTokens: 2,
      reasoningTokens: 0,
      totalTokens: 9,
    });
    expect(readAnswer(200, Buffer.from('{"usage":[]}'))?.usage).toEqual(noUsage);
  });

  it('with another status stays as it is when it is JSON', () => {
    expect(read(400, '{"error":\n{"message":"no"}}\n')).toBe('{"error": {"message":"no"}}');
  });

  it('with another status is put into an error object when it is text', () => {
    expect(JSON.parse(read(502, '<h1>Bad\nGateway</h1>\n') ?? '')).toEqual({
      error: {
        message: '<h1>Bad\nGateway</h1>',
        type: 'upstream_error',
        param: null,
        code: null,
      },
    });
    expect(read(502, 'one\ntwo')).not.toContain('\n');
  });

  it('with another status is cut to 1,000 characters of text', () => {
    const { error } = JSON.parse(read(500, 'é'.repeat(5_000)) ?? '') as {
      error: { message: string };
    };
    expect(error.message).toBe('é'.repeat(1_000));
    // Half of a character would be an escape that strict readers refuse.
    expect(read(500, `${'x'.repeat(999)}\u{1f600}`)).toContain('x"');
  });

  it.each([[''], [Buffer.alloc(3, ' ')]])(
    'with another status and no text says so: %j',
    (bytes) => {
      expect(read(503, bytes)).toContain('The upstream answered with status 503');
    },
  );

  it('with another status and bytes that are no text is still one JSON value', () => {
    expect(() => {
      JSON.parse(read(500, Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0xc3])) ?? '');
    }).not.toThrow();
  });
});

it.each([
  [199, false],
  [200, true],
  [299, true],
  [300, false],
])('status %i is a success: %s', (status, expected) => {
  expect(isSuccess(status)).toBe(expected);
});
