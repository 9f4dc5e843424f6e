import ts from 'typescript';
import { repositoryFiles, repositoryText } from '../support/repository';

/** Parts of keys; where they occur in a string, somebody builds a key. */
const partsOfKeys = [
  'projects/',
  'open/',
  'record.json',
  'plan.json',
  'errors.jsonl',
  'shards/',
  'progress/',
  'epochs/',
  'segments/',
  'compacted/',
  'sealed/',
  'uses/',
  'webhooks/',
  'webhook-secret',
  'deliveries/',
];

/** The strings of a source file, imports left out. */
function stringsOf(path: string): string[] {
  const strings: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      return;
    }
    if (ts.isStringLiteralLike(node) || ts.isTemplateLiteralToken(node)) {
      strings.push(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, repositoryText(path), ts.ScriptTarget.Latest));
  return strings;
}

function buildsKeys(path: string): boolean {
  return stringsOf(path).some((text) => partsOfKeys.some((part) => text.includes(part)));
}

test('keys of the store are built in one file only', () => {
  const sources = ['src', 'activities', 'workflows']
    .flatMap((folder) => repositoryFiles(folder))
    .filter((path) => path.endsWith('.ts'));
  expect(sources.length).toBeGreaterThan(50);
  expect(sources.filter(buildsKeys)).toEqual(['src/domain/object-keys.ts']);
});

test('every part of a key that is looked for occurs in that file', () => {
  const text = stringsOf('src/domain/object-keys.ts').join('\n');
  expect(partsOfKeys.filter((part) => !text.includes(part))).toEqual([]);
});
