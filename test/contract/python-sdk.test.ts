/**
 * The official Python client against a running server. The tests themselves are in `python/`; here
 * pytest runs them all at once, and each has its own verdict.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { useStack } from '../support/local-stack';
import { pythonEnvironment, PythonResults, pythonTests } from './support/python';

const stack = useStack();
let folder: string;
let results: PythonResults;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  results = await PythonResults.of(folder, pythonEnvironment(stack()));
}, 240_000);

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test.each(pythonTests())('$title', (each) => {
  expect(results.problemOf(each)).toBe('');
});
