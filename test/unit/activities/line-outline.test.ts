import { outlineOf } from '../../../activities/line-outline';
import { LineScanner } from '../../../src/scanner/line-scanner';

/** The outline of a line that the scanner does not certify, with `input` as what the body must have. */
function outlined(line: string): unknown {
  let outline: unknown;
  const options = {
    url: '/v1/embeddings',
    requiredMember: 'input',
    lineBytesMax: 1_000_000,
    linesMax: 1,
    fileBytes: line.length,
    hashKey: [1n, 2n],
  } as const;
  const scanner = new LineScanner(options, {
    linesLeft: () => 1,
    onBlankLines: () => undefined,
    onCertifiedLines: () => undefined,
    onUncertifiedLine: (found) => (outline = outlineOf(found, 'input')),
  });
  scanner.add(Buffer.from(line));
  scanner.end();
  return outline;
}

test('an outline has the members that the rules look at, with their values', () => {
  const line =
    ' {"x":[[]],"custom_id":"\\u0061 é","method":7,"\\u0075rl":null,"url":{"a":{}},' +
    '"body":{"model":"m","stream":true,"input":"text","x":{"model":1}}}';
  expect(outlined(line)).toEqual({
    custom_id: 'a é',
    method: 7,
    url: {},
    body: { model: 'm', stream: true, input: 'text' },
  });
});

test('lists are as long as they were, and begin with a number where they did', () => {
  const inputOf = (list: string): unknown => {
    const outline = outlined(`{"body":{"input":${list}}}`) as { body: { input: unknown } };
    return outline.body.input;
  };
  expect(inputOf('[]')).toEqual([]);
  expect(inputOf('[ -1, 2,[3,4]]')).toEqual([0, undefined, undefined]);
  expect(inputOf('["1",[2,3]]')).toEqual([undefined, undefined]);
  expect(inputOf('[[1,2,3]]')).toEqual([undefined]);
});

test('a body that is no object is told as what it is', () => {
  expect(outlined('{"body":[1]}')).toEqual({ body: [0] });
  expect(outlined('{"body":{},"body":"x"}')).toEqual({ body: 'x' });
  expect(outlined('{"body":null}')).toEqual({ body: null });
  expect(outlined('{}')).toEqual({});
});
