import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { useTemporaryFolder } from '../../support/temporary-folder';

const root = join(__dirname, '..', '..', '..');
const moduleUrl = (path: string): string =>
  pathToFileURL(join(root, 'scripts', 'setup', path)).href;
const folder = useTemporaryFolder();

/** Runs jest once on each of these test files, as one count; returns its exit code and last line. */
async function count(files: readonly string[], workExitCode?: number): Promise<unknown> {
  const runs = files.map((text, index) => {
    const project = join(folder(), String(index));
    mkdirSync(project);
    writeFileSync(join(project, 'a.test.js'), text);
    return ['--rootDir', project, '--config', '{"transform":{}}'];
  });
  const program = `
    import { capture } from ${JSON.stringify(moduleUrl('run.mjs'))};
    import { withTestCount } from ${JSON.stringify(moduleUrl('test-count.mjs'))};
    process.exitCode = await withTestCount(async (countedAs) => {
      const exitCodes = [];
      for (const [index, args] of ${JSON.stringify(runs)}.entries()) {
        const all = ['node_modules/jest/bin/jest.js', ...args, ...countedAs(index)];
        exitCodes.push((await capture(process.execPath, all)).exitCode);
      }
      return ${String(workExitCode)} ?? Math.max(...exitCodes);
    });`;
  return await new Promise((resolve) => {
    const args = ['--input-type=module', '-e', program];
    execFile(process.execPath, args, (error, stdout) => {
      resolve([error === null ? 0 : error.code, stdout]);
    });
  });
}

const twoPass = 'test("a", () => {}); test("b", () => {}); test.todo("c");';
const oneFails = 'test("a", () => {}); test("b", () => { throw new Error("no"); });';
const doesNotLoad = 'throw new Error("no");';

it('is the sum of all runs, without what did not run', async () => {
  expect(await count([twoPass, twoPass])).toEqual([0, '4 passed, 0 failed\n']);
});

it('has the tests that failed, and the files that could not be loaded', async () => {
  expect(await count([twoPass, oneFails, doesNotLoad])).toEqual([1, '3 passed, 2 failed\n']);
});

it('is not given when the work failed before every test ran', async () => {
  expect(await count([twoPass], 1)).toEqual([1, '']);
});
