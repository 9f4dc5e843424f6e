import { repositoryFiles, repositoryText } from '../support/repository';

/** Written apart, so that this file is not one of those that it finds. */
const markers = ['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'];
const marker = new RegExp(`\\b(${markers.join('|')})\\b`);
const isSource = /\.(ts|mjs|cjs|js|json|yaml|yml|sh|go|mod)$|^(Dockerfile|\.env\.example)$/;

test('no note to do something later is left in a file', () => {
  const files = repositoryFiles().filter((path) => isSource.test(path));
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((path) => marker.test(repositoryText(path)))).toEqual([]);
});

test('no test runs alone or is skipped', () => {
  const tests = repositoryFiles('test').filter((path) => path.endsWith('.test.ts'));
  const only = /\b(describe|it|test)\.(only|skip)\b|\b[fx](describe|it)\(/;
  expect(tests.filter((path) => only.test(repositoryText(path)))).toEqual([]);
});

test('no history says where it was recorded', () => {
  const histories = repositoryFiles('test/replay/histories');
  expect(histories.length).toBeGreaterThan(20);
  // A frame of a stack trace, whose file is named from the root of the file system.
  const frame = /\((?:file:\/\/)?(?:\/|[A-Z]:\\)[^)]*:\d+:\d+\)/;
  expect(histories.filter((path) => frame.test(repositoryText(path)))).toEqual([]);
});
