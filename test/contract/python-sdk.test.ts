/**
 * The official Python client against a running server. The tests themselves are in `python/`; here
 * pytest runs them all at once, and each has its own verdict.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useStack } from '../support/local-stack';
import { openLossyWays, type LossyWays } from './support/lossy-ways';
import { pythonEnvironment, PythonResults, pythonTests } from './support/python';

const stack = useStack();
let folder: string;
let ways: LossyWays<string>;
let results: PythonResults;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  ways = await openLossyWays(stack().baseUrl, {
    create_with_key: /^POST \/v1\/batches HTTP/,
    create_without_key: /^POST \/v1\/batches HTTP/,
    cancel: /^POST \/v1\/batches\/\w+\/cancel /,
    complete: /^POST \/v1\/uploads\/\w+\/complete /,
  });
  results = await PythonResults.of(folder, {
    ...pythonEnvironment(stack()),
    LONGHAUL_TEST_LOSSY_URLS: JSON.stringify(ways.urls),
  });
}, 240_000);

afterAll(async () => {
  await ways.close();
  rmSync(folder, { recursive: true, force: true });
});

test.each(pythonTests())('$title', (each) => {
  expect(results.problemOf(each)).toBe('');
});

test('answers were lost on every way that loses one', () => {
  expect(ways.unused()).toEqual([]);
});
