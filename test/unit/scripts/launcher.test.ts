import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installPrograms, useLauncher } from '../../support/launcher';

const { folder, launch } = useLauncher();

const temporal = 'echo "temporal version 1.8.2 (Server 1.31.2, UI 2.50.1)"';
const minio = 'echo "minio version RELEASE.X"; echo "Copyright: 2015-2026 MinIO, Inc."';

it('explains itself, and refuses a command that it does not know', async () => {
  expect(await launch(['--help'])).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('npm run demo'),
  });
  expect(await launch(['fly'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('There is no command fly.'),
  });
});

describe('the servers', () => {
  it('are taken from PATH', async () => {
    const { stdout } = await launch(['servers'], { temporal, minio });
    expect(JSON.parse(stdout)).toEqual({
      temporal: join(folder(), 'bin', 'temporal'),
      minio: join(folder(), 'bin', 'minio'),
    });
  });

  it('named in the environment must be what they are said to be', async () => {
    const wrong = await launch(
      ['servers'],
      { temporal, minio },
      { LONGHAUL_MINIO_BIN: process.execPath },
    );
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toContain(
      `LONGHAUL_MINIO_BIN is ${process.execPath}, which does not say that it is minio when asked for its version: set it to a working minio program, or unset it to have one found or built.`,
    );
  });

  it('that are too old are passed over', async () => {
    const old = 'echo "temporal version 1.0.0 (Server 1.24.2, UI 2.28.0)"';
    const { exitCode, stderr } = await launch(['servers'], { temporal: old, minio });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('bin/temporal, which is older than server 1.29.');
  });

  it('that hang are passed over, and so is a Go that does', async () => {
    // The shell's child keeps its output open, as that of a wrapper script would.
    const hanging = '/bin/sleep 15; :';
    const otherPath = installPrograms(join(folder(), 'other'), { minio, go: hanging });
    const [server, go] = await Promise.all([
      launch(['servers'], { temporal: hanging, minio }),
      launch(['servers'], {}, { PATH: otherPath }),
    ]);
    expect(server.exitCode).toBe(1);
    expect(server.stderr).toContain('bin/temporal, which did not say its version within 10 s.');
    expect(go.exitCode).toBe(1);
    expect(go.stderr).toContain(
      'There is no temporal on this machine, and its Go, which would build it, did not say its version within 10 s: install Go',
    );
  });

  it('cannot be built without Go, or with an old one, which is said with the remedy', async () => {
    const remedy =
      'install Go 1.26.4 or newer (https://go.dev/dl), or install temporal and put it on PATH or into LONGHAUL_TEMPORAL_BIN.';
    expect((await launch(['servers'], { minio })).stderr).toContain(
      `There is no temporal on this machine and no Go to build it with: ${remedy}`,
    );
    const go = 'echo "go version go1.25.3 linux/amd64"';
    expect((await launch(['servers'], { minio, go })).stderr).toContain(
      `There is no temporal on this machine, and its Go (go1.25.3) is too old to build it: ${remedy}`,
    );
  });

  it('are built once, and again when what is in the cache does not run', async () => {
    // A stand-in for go: `go version`, or `go build … -o FILE PACKAGE`, which writes what is asked for.
    const go = `
if [ "$1" = version ]; then echo "go version go1.26.4 linux/amd64"; exit; fi
while [ "$1" != -o ]; do shift; done
printf '#!/bin/sh\\n%s\\n' '${temporal}' > "$2"
/bin/chmod +x "$2"`;
    const first = await launch(['servers'], { minio, go });
    const second = await launch(['servers'], { minio, go });
    expect(first).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('Building temporal'),
    });
    expect(second).toMatchObject({ exitCode: 0, stdout: first.stdout, stderr: '' });
    const { temporal: built } = JSON.parse(first.stdout) as { temporal: string };
    writeFileSync(built, '');
    const third = await launch(['servers'], { minio, go });
    expect(third).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('Building temporal'),
    });
  });

  it('are not built into a cache folder that cannot be used', async () => {
    const go = 'echo "go version go1.26.4 linux/amd64"';
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    for (const cache of [file, '/proc/longhaul']) {
      const { exitCode, stderr } = await launch(
        ['servers'],
        { minio, go },
        { LONGHAUL_CACHE_DIR: cache },
      );
      expect(exitCode).toBe(1);
      expect(stderr).toContain(
        `\nThe folder ${join(cache, 'bin')}, in which built servers are kept, cannot be used: E`,
      );
      expect(stderr).toMatch(/\. Set LONGHAUL_CACHE_DIR to a folder that you may write to\.\n$/);
    }
  });

  it('that do not run when built are not kept', async () => {
    const go = `
if [ "$1" = version ]; then echo "go version go1.26.4 linux/amd64"; exit; fi
while [ "$1" != -o ]; do shift; done
: > "$2"`;
    const { exitCode, stderr } = await launch(['servers'], { minio, go });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('The temporal that was built cannot be run');
  });
});
