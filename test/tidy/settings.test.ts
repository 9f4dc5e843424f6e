import { settings } from '../../src/config/config';
import { markdownTables, repositoryText } from '../support/repository';

const names = Object.keys(settings).sort();

/**
 * As one would write it into the environment: empty for a setting that may be left out and has no
 * default, `undefined` for one that is required.
 */
function defaultOf(name: string): string | undefined {
  const { success, data } = settings[name as keyof typeof settings].safeParse(undefined);
  return success ? String(data ?? '') : undefined;
}

function documentedDefaultOf(name: string): string {
  const value = defaultOf(name) ?? 'required';
  return value === '' ? 'none' : value;
}

describe('docs/configuration.md', () => {
  const rows = markdownTables(repositoryText('docs/configuration.md'), 'variable').flatMap(
    (table) => table.slice(1),
  );
  const documented = rows.map(([name = '', value = '']): [string, string] => [
    name.replaceAll('`', ''),
    value.replaceAll('`', ''),
  ]);

  it('lists every variable once, and no other', () => {
    expect(documented.map(([name]) => name).sort()).toEqual(names);
  });

  it('tells the defaults that hold', () => {
    expect(documented).toEqual(documented.map(([name]) => [name, documentedDefaultOf(name)]));
  });
});

describe('.env.example', () => {
  const lines = repositoryText('.env.example').matchAll(/^(?:# )?(LONGHAUL_[A-Z0-9_]+)=(.*)$/gm);
  const listed = Array.from(lines, ([, name = '', value = '']): [string, string] => [name, value]);

  it('lists every variable once, and no other', () => {
    expect(listed.map(([name]) => name).sort()).toEqual(names);
  });

  it('shows the defaults that hold', () => {
    const withDefault = listed.filter(([name]) => defaultOf(name) !== undefined);
    expect(withDefault).toEqual(withDefault.map(([name]) => [name, defaultOf(name)]));
  });

  it('holds no secret', () => {
    const secrets = listed.filter(([name]) => name.endsWith('_KEY'));
    expect(secrets.map(([, value]) => value)).toEqual(['', '', '']);
  });
});
