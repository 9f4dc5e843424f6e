/**
 * The cases of JSONTestSuite (Nicolas Seriot, MIT licence), restated in `cases.txt`: a name, a space and
 * the text, with `<ff>` for a byte that cannot be seen. Each stands as a value in a request line,
 * which is checked twice: as it comes, and written so that the scanner leaves it to `JSON.parse`.
 * Cases with raw line feeds are apart: a line feed ends a line here, wherever it stands.
 */
import { InputCheck } from '../../../activities/input-check';
import { LineScanner } from '../../../src/scanner/line-scanner';
import { repositoryText } from '../../support/repository';

const listed = repositoryText('test/unit/json-test-suite/cases.txt')
  .split('\n')
  .filter((line) => line !== '')
  .map((line): Case => {
    const space = line.indexOf(' ');
    return [line.slice(0, space), bytesOf(line.slice(space + 1))];
  });
const long: readonly Case[] = [
  ['n_structure_100000_opening_arrays', Buffer.from('['.repeat(100_000))],
  ['n_structure_open_array_object', Buffer.from('[{"":'.repeat(50_000))],
  ['i_structure_500_nested_arrays', Buffer.from('['.repeat(500) + ']'.repeat(500))],
];
const cases = [...listed, ...long];
const withLineFeeds: readonly Case[] = [
  ['y_array_with_1_and_newline', Buffer.from('[1\n]')],
  ['y_object_with_newlines', Buffer.from('{\n"a": "b"\n}')],
  ['y_structure_trailing_newline', Buffer.from('["a"]\n')],
  ['n_array_newlines_unclosed', Buffer.from('["a",\n4\n,1,')],
  ['n_array_unclosed_with_new_lines', Buffer.from('[1,\n1\n,1')],
  ['n_string_unescaped_newline', Buffer.from('["new\nline"]')],
];

type Case = readonly [string, Buffer];

function bytesOf(text: string): Buffer {
  const parts = text.split(/<([0-9a-f]{2})>/);
  return Buffer.concat(
    parts.map((part, index) => Buffer.from(part, index % 2 === 0 ? 'utf8' : 'hex')),
  );
}

/** What is left to implementations: here numbers of any size and lone surrogates in escapes pass. */
function isAccepted(name: string): boolean {
  return /^y_|^i_number_|^i_(object|string)_.*surrogate/.test(name) && !name.includes('UTF8');
}

const startOfBody =
  '"method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[],"x":';

function lineWith(customId: string, value: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(`{"custom_id":"${customId}",${startOfBody}`),
    value,
    Buffer.from('}}\n'),
  ]);
}

function aCheck(): InputCheck {
  const rules = {
    endpoint: '/v1/chat/completions',
    hasModel: () => true,
    limits: { batchLinesMax: 10, embeddingInputsMax: null },
    mixedModels: 'refuse',
  } as const;
  return new InputCheck(rules, { fileBytes: 1_000, hashKey: [1n, 2n] });
}

test.each(cases)('%s', (name, value) => {
  const check = aCheck();
  const found = [
    ...check.add(lineWith('first', Buffer.from('0'))),
    ...check.add(lineWith('plain', value)),
    ...check.add(lineWith('esc\\u0061ped', value)),
    ...check.end(),
  ];
  expect(found.map(({ line, code }) => [line, code])).toEqual(
    isAccepted(name)
      ? []
      : [
          [2, 'invalid_json_line'],
          [3, 'invalid_json_line'],
        ],
  );
});

test.each(cases)('%s, by the scanner alone', (name, value) => {
  let certified = 0;
  const scanner = new LineScanner(
    {
      url: '/v1/chat/completions',
      requiredMember: 'messages',
      lineBytesMax: 1_000_000,
      linesMax: 10,
      fileBytes: 1_000,
      hashKey: [1n, 2n],
    },
    {
      linesLeft: () => 10,
      onBlankLines: () => undefined,
      onCertifiedLines: ({ count }) => (certified += count),
      onUncertifiedLine: () => undefined,
    },
  );
  scanner.acceptModel('m');
  scanner.add(lineWith('plain', value));
  expect(certified).toBe(isAccepted(name) ? 1 : 0);
});

test.each(withLineFeeds)('%s, of which no line is one', (_, value) => {
  const check = aCheck();
  const lines = lineWith('plain', value);
  const found = [...check.add(lineWith('first', Buffer.from('0'))), ...check.add(lines)];
  const lineCount = lines.toString().split('\n').length - 1;
  expect(found.map(({ line, code }) => [line, code])).toEqual(
    Array.from({ length: lineCount }, (_each, index) => [index + 2, 'invalid_json_line']),
  );
});

test('every case is there', () => {
  const count = (prefix: string): number =>
    new Set(
      [...cases, ...withLineFeeds].map(([name]) => name).filter((name) => name.startsWith(prefix)),
    ).size;
  expect([count('y_'), count('n_'), count('i_')]).toEqual([95, 188, 35]);
});
