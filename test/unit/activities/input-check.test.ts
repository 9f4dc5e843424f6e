import { InputCheck, type InputRules } from '../../../activities/input-check';
import type { Line } from '../../../activities/line-reader';
import { batchErrorsMax } from '../../../src/domain/limits';
import { requestLine } from '../../support/batches';

const batchLinesMax = 2_000;

function aCheck(changes: Partial<InputRules> = {}): InputCheck {
  const rules: InputRules = {
    endpoint: '/v1/chat/completions',
    hasModel: () => true,
    limits: { batchLinesMax, embeddingInputsMax: null },
    mixedModels: 'refuse',
    ...changes,
  };
  return new InputCheck(rules, [1, 2]);
}

function linesOf(texts: readonly string[]): Line[] {
  return texts.map((text, at) => ({ bytes: Buffer.from(text), offset: at * 10, isTooLong: false }));
}

const valid = linesOf(Array.from({ length: batchLinesMax }, (_, ordinal) => requestLine(ordinal)));
const bad = linesOf(new Array<string>(batchLinesMax).fill('x'));

test('a file may have as many lines as a batch may have', () => {
  const check = aCheck();
  expect([check.addLines(valid), check.end()]).toEqual([[], []]);
  expect(check.plan(batchLinesMax * 10).total).toBe(batchLinesMax);
});

test('one more fails the file as a whole', () => {
  const check = aCheck();
  check.addLines(valid);
  check.addLines(linesOf([requestLine(batchLinesMax)]));
  expect(check.end()).toMatchObject([{ code: 'too_many_tasks', line: null }]);
  expect(check.errorCount).toBe(1);
});

test('the lines beyond are not looked at, however many there are and however bad', () => {
  const check = aCheck();
  check.addLines(bad);
  expect(check.addLines(bad)).toHaveLength(1);
  expect(check.addLines(bad)).toEqual([]);
  expect(check.end()).toMatchObject([{ code: 'too_many_tasks' }]);
  expect(check.errorCount).toBe(batchLinesMax + 2);
});

test('the first errors are kept, and all are counted', () => {
  const check = aCheck();
  check.addLines(bad);
  expect(check.firstErrors).toHaveLength(batchErrorsMax);
  expect(check.firstErrors.at(-1)).toMatchObject({ line: batchErrorsMax });
  expect(check.errorCount).toBe(batchLinesMax);
});

describe('models that differ', () => {
  const lines = linesOf([
    requestLine(0),
    requestLine(1, { body: { model: 'other', messages: [] } }),
    requestLine(2),
  ]);

  it('are refused', () => {
    expect(aCheck().addLines(lines)).toMatchObject([{ code: 'mismatched_model', line: 2 }]);
  });

  it('are a batch without a model of its own where they are allowed', () => {
    const check = aCheck({ mixedModels: 'allow' });
    expect(check.addLines(lines)).toEqual([]);
    expect(check.plan(30)).toMatchObject({ total: 3, model: null });
  });

  it('may be allowed without being there', () => {
    const check = aCheck({ mixedModels: 'allow' });
    check.addLines(lines.slice(0, 1));
    expect(check.plan(10).model).toBe('small');
  });
});

describe('embedding inputs', () => {
  const url = '/v1/embeddings';

  function errorsOf(inputs: readonly unknown[], embeddingInputsMax: number | null): unknown[] {
    const check = aCheck({ endpoint: url, limits: { batchLinesMax, embeddingInputsMax } });
    const lines = inputs.map((input, ordinal) =>
      requestLine(ordinal, { url, body: { model: 'small', input } }),
    );
    return [...check.addLines(linesOf(lines)), ...check.end()];
  }

  // One for the text and the list of tokens, two for each list of inputs: six.
  const inputs = ['a', [1, 2, 3], ['a', 'b'], [[1], [2, 3]]];

  it('may be as many as the limit says', () => {
    expect(errorsOf(inputs, 6)).toEqual([]);
    expect(errorsOf([[], {}], 2)).toEqual([]);
  });

  it('beyond it fail the file as a whole, with a code of our own', () => {
    expect(errorsOf(inputs, 5)).toEqual([
      {
        code: 'too_many_embedding_inputs',
        message: 'The input file contains more than the maximum of 5 embedding inputs.',
        param: null,
        line: null,
      },
    ]);
  });

  it('are not limited when there is no limit, and never with another endpoint', () => {
    expect(errorsOf([...inputs, new Array<string>(10_000).fill('a')], null)).toEqual([]);
    const check = aCheck({ limits: { batchLinesMax, embeddingInputsMax: 1 } });
    expect([...check.addLines(valid), ...check.end()]).toEqual([]);
  });
});

describe('nesting', () => {
  /** A line whose brackets are `depth` levels deep; two of them are those of line and body. */
  function nested(depth: number): string {
    const content = '['.repeat(depth - 3) + '"]{\\"["' + ']'.repeat(depth - 3);
    return requestLine(0).replace(/"messages":.*$/, `"messages":[${content}]}}`);
  }

  it('may be a hundred levels deep', () => {
    expect(aCheck().addLines(linesOf([nested(100)]))).toEqual([]);
  });

  it('is refused beyond, before anything is parsed', () => {
    const refused = [nested(101), nested(1_000_000), '['.repeat(100_000)];
    const messages = aCheck()
      .addLines(linesOf(refused))
      .map(({ code, message }) => [code, message]);
    expect(messages).toEqual(
      new Array(3).fill(['invalid_json_line', 'This line is nested deeper than 100 levels.']),
    );
  });
});
