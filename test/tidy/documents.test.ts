import { existsSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import { repositoryFiles, repositoryText } from '../support/repository';

const documents = repositoryFiles().filter((path) => path.endsWith('.md'));

function withoutCode(path: string): string {
  return repositoryText(path).replaceAll(/^```.*?^```/gms, '');
}

test.each(documents)('%s has one title', (path) => {
  expect(withoutCode(path).match(/^# .+$/gm)).toHaveLength(1);
});

test.each(documents)('%s links to files that exist', (path) => {
  const links = Array.from(
    withoutCode(path).matchAll(/\]\(([^)\s#]+)(?:#[^)]*)?\)/g),
    ([, to]) => to,
  );
  const missing = links
    .filter((to): to is string => to !== undefined && !/^[a-z]+:/.test(to))
    .filter((to) => !existsSync(resolve(__dirname, '../..', posix.join(posix.dirname(path), to))));
  expect(missing).toEqual([]);
});
