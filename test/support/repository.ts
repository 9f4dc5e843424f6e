/** The repository's own files, for tests of its rules. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';

const root = resolve(__dirname, '../..');

/** What is made, not written: never part of a rule. */
const skipped = new Set(['node_modules', 'dist', 'coverage', 'histories', 'package-lock.json']);

/** Paths below a folder of the repository, or of the whole of it, with slashes. */
export function repositoryFiles(folder = '.'): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true })
    .filter(({ name }) => !skipped.has(name) && !(name.startsWith('.') && name !== '.env.example'))
    .flatMap((entry) => {
      const path = join(root, folder, entry.name);
      return entry.isDirectory()
        ? repositoryFiles(relative(root, path))
        : [relative(root, path).split(sep).join('/')];
    });
}

export function repositoryText(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The cells of the rows of a Markdown table, its header first; `header` is its first cell. */
export function markdownTables(text: string, header: string): string[][][] {
  const tables: string[][][] = [];
  let rows: string[][] = [];
  for (const line of [...text.split('\n'), '']) {
    if (line.startsWith('|')) {
      rows.push(cellsOf(line));
    } else {
      tables.push(rows.filter((row) => !row.every((cell) => /^:?-+:?$/.test(cell))));
      rows = [];
    }
  }
  return tables.filter(([first]) => first?.[0] === header);
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
