import { InputCheck, type InputFindings, type InputRules } from '../../../activities/input-check';
import type { BatchError } from '../../../src/domain/batch';
import { batchErrorsMax, lineBytesMax } from '../../../src/domain/limits';
import { requestLine } from '../../support/batches';

const batchLinesMax = 2_000;

interface Checked extends InputFindings {
  /** All of them, the last ones at the end. */
  readonly errors: readonly BatchError[];
}

/** Checks a file that comes in one chunk, or in those given. */
function check(
  lines: readonly string[] | readonly Buffer[],
  changes: Partial<InputRules> = {},
): Checked {
  const rules: InputRules = {
    endpoint: '/v1/chat/completions',
    hasModel: () => true,
    limits: { batchLinesMax, embeddingInputsMax: null },
    mixedModels: 'refuse',
    ...changes,
  };
  const chunks = lines.map((line) => (typeof line === 'string' ? Buffer.from(`${line}\n`) : line));
  const fileBytes = chunks.reduce((sum, { length }) => sum + length, 0);
  const input = new InputCheck(rules, { fileBytes, hashKey: [1n, 2n] });
  const errors = [...chunks.flatMap((chunk) => input.add(chunk)), ...input.end()];
  return { ...input.findings(), errors };
}

const valid = Array.from({ length: batchLinesMax }, (_, ordinal) => requestLine(ordinal));
const bad = new Array<string>(batchLinesMax).fill('x');

test('a file may have as many lines as a batch may have', () => {
  const { errors, plan } = check(valid);
  expect(errors).toEqual([]);
  expect(plan.total).toBe(batchLinesMax);
});

test('one more fails the file as a whole', () => {
  const { errors, errorCount } = check([...valid, requestLine(batchLinesMax)]);
  expect(errors).toMatchObject([{ code: 'too_many_tasks', line: null }]);
  expect(errorCount).toBe(1);
});

test('the lines beyond are not looked at, however many there are and however bad', () => {
  const { errors, errorCount } = check([...bad, ...bad, ...valid]);
  expect(errors).toHaveLength(batchLinesMax + 2);
  expect(errors.at(-1)).toMatchObject({ code: 'too_many_tasks' });
  expect(errorCount).toBe(batchLinesMax + 2);
});

test('the first errors are kept, and all are counted', () => {
  const { firstErrors, errorCount } = check(bad);
  expect(firstErrors).toHaveLength(batchErrorsMax);
  expect(firstErrors.at(-1)).toMatchObject({ line: batchErrorsMax });
  expect(errorCount).toBe(batchLinesMax);
});

test('ids that are alike are found, whichever way each is written', () => {
  const escaped = (ordinal: number): string =>
    requestLine(ordinal).replace('"request-', '"\\u0072equest-');
  const lines = [
    requestLine(0),
    escaped(0),
    escaped(1),
    requestLine(1),
    escaped(1),
    requestLine(2),
    requestLine(2),
    // Longer in UTF-8 than the scanner takes.
    ...[1, 2].map(() => requestLine(3, { custom_id: 'é'.repeat(300) })),
  ];
  expect(check(lines).errors.map(({ line, code }) => [line, code])).toEqual(
    [2, 4, 5, 7, 9].map((line) => [line, 'duplicate_custom_id']),
  );
});

test('ids that repeat in every line cost no more than other bad lines', () => {
  const lineCount = 20_000;
  const limits = { batchLinesMax: lineCount, embeddingInputsMax: null };
  const first = requestLine(0);
  const cpuMsOf = (line: string): number => {
    const file = Buffer.from(`${first}\n${`${line}\n`.repeat(lineCount - 1)}`);
    const before = process.cpuUsage();
    expect(check([file], { limits }).errorCount).toBe(lineCount - 1);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  const badMs = cpuMsOf(requestLine(1, { custom_id: 1 }));
  // Some fifty times as much when each repeat has the lines behind it scanned in vain.
  expect(cpuMsOf(first)).toBeLessThan(10 * badMs);
});

test('an id that is not usable is no duplicate', () => {
  const long = requestLine(0, { custom_id: 'x'.repeat(100_000) });
  expect(check([long, long]).errors.map(({ code }) => code)).toEqual(
    new Array(2).fill('string_above_max_length'),
  );
});

describe('models that differ', () => {
  const other = requestLine(1, { body: { model: 'other', messages: [] } });
  const lines = [requestLine(0), other, requestLine(2)];

  it('are refused', () => {
    expect(check(lines).errors).toMatchObject([{ code: 'mismatched_model', line: 2 }]);
  });

  it('are a batch without a model of its own where they are allowed', () => {
    const { errors, plan } = check(lines, { mixedModels: 'allow' });
    expect(errors).toEqual([]);
    expect(plan).toMatchObject({ total: 3, model: null });
  });

  it('may be allowed without being there', () => {
    expect(check(lines.slice(0, 1), { mixedModels: 'allow' }).plan.model).toBe('small');
  });
});

describe('embedding inputs', () => {
  const url = '/v1/embeddings';

  function errorsOf(inputs: readonly unknown[], embeddingInputsMax: number | null): unknown[] {
    // Each line once as it is certified, and once as it is parsed.
    const lines = inputs.flatMap((input, ordinal) => {
      const line = requestLine(ordinal, { url, body: { model: 'small', input } });
      return [line, line.replace('"request-', '"\\u0052equest-')];
    });
    const limits = { batchLinesMax, embeddingInputsMax };
    return [...check(lines, { endpoint: url, limits }).errors];
  }

  // One for the text and the list of tokens, two for each list of inputs: six, and each line twice.
  const inputs = ['a', [-1, 2, 3], ['a', 'b'], [[1], [2, 3, [4, 5]]]];

  it('may be as many as the limit says', () => {
    expect(errorsOf(inputs, 12)).toEqual([]);
    expect(errorsOf([[], {}], 4)).toEqual([]);
  });

  it('beyond it fail the file as a whole, with a code of our own', () => {
    expect(errorsOf(inputs, 11)).toEqual([
      {
        code: 'too_many_embedding_inputs',
        message: 'The input file contains more than the maximum of 11 embedding inputs.',
        param: null,
        line: null,
      },
    ]);
  });

  it('are not limited when there is no limit, and never with another endpoint', () => {
    expect(errorsOf([...inputs, new Array<string>(10_000).fill('a')], null)).toEqual([]);
    const limits = { batchLinesMax, embeddingInputsMax: 1 };
    expect(check(valid, { limits }).errors).toEqual([]);
  });
});

describe('nesting', () => {
  /** A line whose brackets are `depth` levels deep; two of them are those of line and body. */
  function nested(depth: number): string {
    const content = '['.repeat(depth - 3) + '"]{\\"["' + ']'.repeat(depth - 3);
    return requestLine(0).replace(/"messages":.*$/, `"messages":[${content}]}}`);
  }

  it('may be a hundred levels deep', () => {
    expect(check([requestLine(1), nested(100)]).errors).toEqual([]);
  });

  it('is refused beyond, before anything is parsed', () => {
    const refused = [nested(101), nested(1_000_000), '['.repeat(100_000)];
    const messages = check(refused).errors.map(({ code, message }) => [code, message]);
    expect(messages).toEqual(
      new Array(3).fill(['invalid_json_line', 'This line is nested deeper than 100 levels.']),
    );
  });
});

describe('lines in chunks', () => {
  const text = [
    '\ufeff',
    requestLine(0),
    '',
    `${requestLine(1)} \t\r`,
    'x',
    requestLine(1),
    requestLine(2, { body: { model: 'small', messages: 'é日本語😀' } }),
    ' \t ',
    requestLine(3),
  ].join('\n');
  const bytes = Buffer.from(text);

  it('are the same however the bytes are cut', () => {
    const whole = check([bytes]);
    expect(whole.errors.map(({ line, code }) => [line, code])).toEqual([
      [5, 'invalid_json_line'],
      [6, 'duplicate_custom_id'],
    ]);
    expect(whole.plan).toMatchObject({ total: 6, shards: [{ byteOffset: 4 }] });
    for (let size = 1; size < bytes.length; size++) {
      const count = Math.ceil(bytes.length / size);
      const chunks = Array.from({ length: count }, (_, at) =>
        bytes.subarray(at * size, at * size + size),
      );
      expect(check(chunks)).toEqual(whole);
    }
  });

  it('that are not UTF-8 are refused, and no other', () => {
    const broken = Buffer.from(requestLine(5));
    broken[broken.length - 5] = 0xff;
    const feed = Buffer.of(0x0a);
    const { errors, plan } = check([Buffer.concat([bytes, feed, broken, feed, bytes])]);
    expect(errors.map(({ line, code }) => [line, code])).toEqual([
      [5, 'invalid_json_line'],
      [6, 'duplicate_custom_id'],
      [10, 'invalid_json_line'],
      // A byte order mark in the midst of a file.
      [11, 'invalid_json_line'],
      [12, 'duplicate_custom_id'],
      [14, 'duplicate_custom_id'],
      [15, 'invalid_json_line'],
      [16, 'duplicate_custom_id'],
      [17, 'duplicate_custom_id'],
      [19, 'duplicate_custom_id'],
    ]);
    expect(plan.total).toBe(14);
  });

  it('may be as long as the limit, and are reported beyond without being kept', () => {
    const line = requestLine(1);
    const spaces = (length: number): string => line + ' '.repeat(length - line.length);
    const fits = Buffer.from(`${spaces(lineBytesMax)}\n`);
    const long = Buffer.from(`${spaces(lineBytesMax + 1)}\n`);
    const huge = [long.subarray(0, -1), long.subarray(0, -1), Buffer.of(0x0a)];
    const last = Buffer.from(requestLine(2));
    const { errors, plan } = check([fits, long, ...huge, last]);
    expect(errors.map(({ line, code }) => [line, code])).toEqual([
      [2, 'invalid_request'],
      [3, 'invalid_request'],
    ]);
    const bytes = fits.length + long.length * 3 - 1 + last.length;
    expect(plan).toMatchObject({ total: 4, shards: [{ byteOffset: 0, byteLength: bytes }] });
    expect(check([long.subarray(0, -1)]).errors).toMatchObject([{ code: 'invalid_request' }]);
  });
});

test('what hostile lines hold does no harm', () => {
  const million = (text: string): string => new Array<string>(1_000_000).fill(text).join(',');
  const body = (members: string): string =>
    `{"custom_id":"\\u0061${members.length}","method":"POST","url":"/v1/chat/completions",` +
    `"body":{"model":"small","messages":[],${members}}}`;
  const keys = Array.from({ length: 200_000 }, (_, key) => `"k${key}":1`).join(',');
  const lines = [
    `[${million('{}')}]`,
    body(`"x":[${million('{}')}]`),
    body(`"x":{${keys}}`),
    body('"__proto__":{"stream":true},"constructor":1'),
    body('"x":"\\ud800 \\u0000"'),
    body('"model":"other","model":"small"'),
    '\0',
    '"\0"',
    `{"custom_id":"\0"}`,
  ];
  expect(check(lines).errors.map(({ line, code }) => [line, code])).toEqual([
    [1, 'invalid_json_line'],
    [7, 'invalid_json_line'],
    [8, 'invalid_json_line'],
    [9, 'invalid_json_line'],
  ]);
  expect({}).not.toHaveProperty('stream');
});
