/** The tables of docs/operations.md against the code that they are about. */
import { errorKinds } from '../../src/api/http/api-error';
import { markdownTables, repositoryFiles, repositoryText } from '../support/repository';

const text = repositoryText('docs/operations.md');

/** Rows below the header. */
function rowsOf(header: string): string[][] {
  return markdownTables(text, header).flatMap((table) => table.slice(1));
}

function withoutTicks(cell = ''): string {
  return cell.replaceAll('`', '');
}

/** What a pattern catches in source files, each once. */
function found(pattern: RegExp, ...paths: readonly string[]): string[] {
  const caught = paths.flatMap((path) =>
    Array.from(repositoryText(path).matchAll(pattern), ([, code = '']) => code),
  );
  return [...new Set(caught)].sort();
}

test('every error of the API is in the table, and no other', () => {
  const kinds = Object.values(errorKinds).map(({ status, code }) => `${status} ${code ?? '–'}`);
  const documented = rowsOf('status').map(
    ([status = '', code]) => `${status} ${withoutTicks(code)}`,
  );
  expect(documented.sort()).toEqual([...new Set(kinds)].sort());
});

test('every code of a failed batch is in the table, and no other', () => {
  const codes = found(/\berror\(\s*'([a-z_]+)'/g, 'src/domain/error-codes.ts');
  expect(codes.length).toBeGreaterThan(10);
  expect(
    rowsOf('error code')
      .map(([code]) => withoutTicks(code))
      .sort(),
  ).toEqual(codes);
});

test('every code of a result line is in the table, and no other', () => {
  const codes = found(/\bcode: '([a-z_]+)'/g, 'src/domain/outcome.ts', 'src/upstream/attempt.ts');
  expect(codes.length).toBeGreaterThan(5);
  expect(
    rowsOf('result code')
      .map(([code]) => withoutTicks(code))
      .sort(),
  ).toEqual(codes);
});

test('every message is one that the code logs', () => {
  const source = ['src', 'activities', 'workflows']
    .flatMap((folder) => repositoryFiles(folder))
    .filter((path) => path.endsWith('.ts'))
    .map(repositoryText)
    .join('\n');
  const messages = rowsOf('log message').flatMap(([cell = '']) =>
    Array.from(cell.matchAll(/`([^`]+)`/g), ([, message]) => message),
  );
  expect(messages.length).toBeGreaterThan(20);
  expect(messages.filter((message) => !source.includes(`'${message}'`))).toEqual([]);
});
