import { existsSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { useLauncher } from '../../support/launcher';

const { folder, launch } = useLauncher();

const remedy =
  'install Python 3.10 or newer (https://www.python.org/downloads) so that it is on PATH as python3.';
const purpose = 'the contract tests drive the server with the official Python client';

/**
 * A stand-in for Python: says its version, and `-m venv FOLDER` makes an environment whose
 * interpreter does `inside` when it is run.
 */
function python3(inside = 'echo Python 3.11.7'): string {
  return `
if [ "$1" = -c ]; then echo 3.11.7; exit; fi
/bin/mkdir -p "$3/bin"
printf '#!/bin/sh\\n%s\\n' '${inside}' > "$3/bin/python"
/bin/chmod +x "$3/bin/python"`;
}

describe('the Python of the contract tests', () => {
  it('must be there and new enough', async () => {
    const [none, old] = await Promise.all([
      launch(['python'], {}, { PATH: join(folder(), 'nothing') }),
      launch(['python'], { python3: 'echo 3.9.18' }),
    ]);
    expect(none).toMatchObject({
      exitCode: 1,
      stderr: `\nThere is no python3 on this machine, and ${purpose}: ${remedy}\n`,
    });
    expect(old).toMatchObject({
      exitCode: 1,
      stderr: `\nThe python3 of this machine (3.9.18) is too old, and ${purpose}: ${remedy}\n`,
    });
  });

  it('must have its venv module', async () => {
    const script = 'if [ "$1" = -c ]; then echo 3.11.7; else echo "no ensurepip"; exit 1; fi';
    const { exitCode, stderr } = await launch(['python'], { python3: script });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `python3 cannot make a virtual environment, and ${purpose}: install its venv module (Debian and Ubuntu have it in the package python3-venv). What it said:\nno ensurepip`,
    );
  });

  it('gets its packages once, and again when its environment does not run', async () => {
    const first = await launch(['python'], { python3: python3() });
    const second = await launch(['python'], { python3: python3() });
    expect(first).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('Installing the Python packages of the contract tests: done'),
    });
    expect(second).toMatchObject({ exitCode: 0, stdout: first.stdout, stderr: '' });
    const { python } = JSON.parse(first.stdout) as { python: string };
    expect(dirname(dirname(dirname(python)))).toBe(join(folder(), 'cache'));
    rmSync(python);
    const third = await launch(['python'], { python3: python3() });
    expect(third).toMatchObject({
      exitCode: 0,
      stdout: first.stdout,
      stderr: expect.stringContaining('Installing'),
    });
  });

  it('is not kept without its packages', async () => {
    const inside = 'echo "no index"; exit 1';
    const failed = await launch(['python'], { python3: python3(inside) });
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain(
      'Installing the Python packages of the contract tests failed: check that pip reaches its package index, and run the command again. What pip said:\nno index',
    );
    expect(readdirSync(join(folder(), 'cache'))).toEqual([]);
    const again = await launch(['python'], { python3: python3() });
    expect(again.exitCode).toBe(0);
    const { python } = JSON.parse(again.stdout) as { python: string };
    expect(existsSync(python)).toBe(true);
  });

  it('is not put into a cache folder that cannot be used', async () => {
    const { exitCode, stderr } = await launch(
      ['python'],
      { python3: python3() },
      { LONGHAUL_CACHE_DIR: '/proc/longhaul' },
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'The folder /proc/longhaul, in which Python packages are kept, cannot be used: E',
    );
  });
});
