import { InputCheck } from '../../../activities/input-check';
import type { Line } from '../../../activities/line-reader';
import { batchErrorsMax, batchLinesMax } from '../../../src/domain/limits';
import { requestLine } from '../../support/batches';

// Five million lines take seconds; what happens at the limit is the same at a low one.
jest.mock('../../../src/domain/limits', () => ({
  ...jest.requireActual<object>('../../../src/domain/limits'),
  batchLinesMax: 2_000,
}));

function aCheck(): InputCheck {
  return new InputCheck({ endpoint: '/v1/chat/completions', hasModel: () => true }, [1, 2]);
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
