import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runProgram } from '../../../scripts/cli/run-program';
import { main as start } from '../../../scripts/start';
import { useTemporaryFolder } from '../../support/temporary-folder';

const folder = useTemporaryFolder();

let said = '';
beforeEach(() => {
  said = '';
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a program', () => {
  it('ends with a sentence when the system refuses something', async () => {
    const path = join(folder(), 'missing');
    const exitCode = await runProgram(() => Promise.reject(errorOf(() => readFileSync(path))));
    expect(exitCode).toBe(1);
    expect(said).toBe(
      `\nThe system refuses something: ENOENT: no such file or directory, open '${path}'. Check that this is what you meant, that you may use it, and that the disk is not full.\n`,
    );
  });

  it('ends with the error itself when it is a fault of ours', async () => {
    for (const error of [new TypeError('x is not a function'), errorOf(() => Buffer.alloc(-1))]) {
      await expect(runProgram(() => Promise.reject(error))).rejects.toBe(error);
    }
    expect(said).toBe('');
  });
});

describe('npm start, with an upstreams file that is not usable,', () => {
  async function refusal(path: string): Promise<string> {
    expect(await start(['--upstreams-file', path])).toBe(1);
    return said.trim();
  }

  it.each([
    ['no YAML', 'upstreams: [', 'cannot be read: it is not YAML'],
    ['no upstream', 'upstreams: []', 'is not usable:\n✖ Too small'],
  ])('says that it has %s', async (_, text, fault) => {
    const path = join(folder(), 'upstreams.yaml');
    writeFileSync(path, text);
    const message = await refusal(path);
    expect(message).toContain(`The upstreams file ${path} ${fault}`);
    expect(message.split('\n').at(-1)).toBe(
      'Correct it as docs/configuration.md describes, and run the command again.',
    );
  });

  it.each(['.', 'missing.yaml'])('says that there is no file %s', async (name) => {
    const path = join(folder(), name);
    expect(await refusal(path)).toBe(
      `There is no file ${path}: name an upstreams file, as docs/configuration.md describes it.`,
    );
  });
});

function errorOf(work: () => unknown): Error {
  try {
    work();
  } catch (error) {
    return error as Error;
  }
  throw new Error('There was no error.');
}
