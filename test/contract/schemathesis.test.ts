/**
 * Requests made by schemathesis from the OpenAPI document: valid ones, invalid ones, and chains of
 * them along the links. Each answer is compared with what the document says. How it goes about it is
 * in `python/schemathesis.toml`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenApiDocument } from '../../src/api/openapi/types';
import { projectRoot } from '../../scripts/local/project-root';
import { useStack } from '../support/local-stack';
import { pythonEnvironment, runPython, runPythonProgram } from './support/python';

/** Another one makes other requests. */
const seed = process.env['LONGHAUL_TEST_SEED'] ?? '1';
const config = join(projectRoot, 'test', 'contract', 'python', 'schemathesis.toml');

const stack = useStack();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function getDocument(): Promise<OpenApiDocument> {
  const answer = await fetch(`${stack().baseUrl}/openapi.json`);
  return (await answer.json()) as OpenApiDocument;
}

/** The tool's report; its last lines count what it did. */
async function tryOut(
  document: OpenApiDocument,
  options: { readonly seconds: number; readonly args?: readonly string[] },
): Promise<{ readonly exitCode: unknown; readonly output: string }> {
  const path = join(folder, 'openapi.json');
  writeFileSync(path, JSON.stringify(document));
  const { origin } = new URL(stack().baseUrl);
  const bounds = ['--max-time', String(options.seconds), '--seed', seed, '--no-color'];
  const run = ['run', path, '--url', origin, ...bounds, ...(options.args ?? [])];
  return await runPython(
    ['-m', 'schemathesis.cli', '--config-file', config, ...run],
    // Hypothesis tries other values where it sees that it is run by CI.
    { ...pythonEnvironment(stack()), CI: 'true' },
  );
}

/** A request may be a megabyte. */
const shownCharsMax = 20_000;

/** What follows the progress of the phases. */
function failuresIn(output: string): string {
  const start = output.search(/^=+ (?:FAILURES|ERRORS) =+$/m);
  return output.slice(Math.max(0, start)).slice(0, shownCharsMax);
}

test('the document is one by the schema of OpenAPI 3.1', async () => {
  expect(await runPythonProgram('openapi_problems.py', pythonEnvironment(stack()))).toEqual([]);
});

test('the server does for two minutes what the document says', async () => {
  const document = await getDocument();
  const { exitCode, output } = await tryOut(document, { seconds: 110 });
  expect(exitCode === 0 ? '' : failuresIn(output)).toBe('');
  const operations = Object.values(document.paths).flatMap((item) =>
    Object.keys(item).filter((key) => key !== 'parameters'),
  );
  expect(output).toMatch(new RegExp(`^ +Tested: ${operations.length}$`, 'm'));
  expect(readFileSync(stack().state.logFile('api'), 'utf8')).not.toContain('"level":50');
}, 300_000);

test('a document that says something else would be found out', async () => {
  const { paths, ...document } = await getDocument();
  const health = paths['/healthz'];
  const model = paths['/v1/models/{model}'];
  const mutant = {
    ...document,
    paths: {
      '/healthz': { ...health, get: { ...health?.get, security: document.security } },
      '/v1/models/{model}': {
        ...model,
        get: { ...model?.get, responses: { 200: model?.get?.responses[200] } },
      },
    },
  } as unknown as OpenApiDocument;
  const { exitCode, output } = await tryOut(mutant, {
    seconds: 30,
    args: ['--phases', 'coverage'],
  });
  expect(exitCode).toBe(1);
  expect(output).toMatch(/Undocumented HTTP status code\s+Received: 404/);
  expect(output).toContain('API accepts requests without authentication');
});
