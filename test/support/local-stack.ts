import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startStack, type Stack, type StackOptions } from '../../scripts/local/stack';

/** A stack for the tests of one file: started before the first, stopped and removed after the last. */
export function useStack(options: Omit<StackOptions, 'stateDir'> = {}): () => Stack {
  let stack: Stack | undefined;
  let stateDir: string | undefined;
  beforeAll(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
    stack = await startStack({ ...options, stateDir });
  }, 120_000);
  afterAll(async () => {
    await stack?.stop();
    if (stateDir !== undefined) {
      rmSync(stateDir, { recursive: true, force: true });
    }
  }, 60_000);
  return () => {
    if (stack === undefined) {
      throw new Error('The stack has not been started yet.');
    }
    return stack;
  };
}
