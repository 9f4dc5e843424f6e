/** Bundles the workflows for the sandbox: what workers run and what the replay tests replay. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const root = resolve(__dirname, '..');

async function main(): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: resolve(root, 'workflows/index.js'),
    logger: new DefaultLogger('WARN'),
  });
  await writeFile(resolve(root, 'workflow-bundle.js'), code);
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
