/**
 * Workflow code is forever: histories recorded from real batches, one for each shape that a batch can
 * take, must replay on the bundle that workers run. Recorded by `npm run record-histories`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';

interface RecordedHistory {
  readonly workflowId: string;
  readonly history: unknown;
}

const directory = join(__dirname, 'histories');
const names = readdirSync(directory).map((file) => file.replace(/\.json$/, ''));
const bundleCode = readFileSync(resolve(__dirname, '../../dist/workflow-bundle.js'), 'utf8');

beforeAll(() => {
  // The mutants' failures are what is expected: nobody wants to read them in the log.
  const logging = { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } as const;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging } });
});

async function replay(name: string, code: string): Promise<void> {
  const text = readFileSync(join(directory, `${name}.json`), 'utf8');
  const { history, workflowId } = JSON.parse(text) as RecordedHistory;
  await Worker.runReplayHistory({ workflowBundle: { code } }, history, workflowId);
}

describe('recorded histories', () => {
  it.each([
    'batch-completed',
    'batch-completed-several-shards',
    'batch-invalid',
    'batch-cancelled',
    'batch-cancelled-in-web-ui',
    'batch-expired',
    'batch-expired-before-start',
    'batch-worker-killed',
    'batch-child-terminated',
    'batch-waited-for-turn',
    'batch-cancelled-waiting',
    'batch-recovered-terminated',
    'batch-recovered-failed',
    'shard-completed',
    'shard-cancelled',
    'shard-worker-killed',
    'batch-notified',
    'batch-notified-invalid',
    'batch-notified-cancelled',
    'batch-completed-few-steps',
    'batch-completed-several-shards-few-steps',
    'batch-invalid-few-steps',
    'batch-cancelled-few-steps',
    'batch-expired-few-steps',
    'batch-expired-before-start-few-steps',
    'batch-recovered-terminated-few-steps',
    'batch-notified-few-steps',
    'batch-completed-held',
    'shard-completed-held',
    'batch-completed-shown-late',
    'batch-completed-after-minutes-shown-late',
    'batch-completed-several-shards-shown-late',
    'batch-cancelled-shown-late',
    'batch-expired-shown-late',
    'batch-recovered-failed-shown-late',
    'notification',
    'sweep',
    'recovery',
  ])('include %s', (shape) => {
    expect(names).toContain(shape);
  });

  it.each(names)('%s replays on the production bundle', async (name) => {
    await expect(replay(name, bundleCode)).resolves.toBeUndefined();
  });
});

describe('a change that histories do not allow is caught', () => {
  it.each([
    {
      change: 'a timer before the shards',
      name: 'batch-completed',
      from: /await this\.runShards\(\)/g,
      to: "await (0, workflow_1.sleep)('1s'); await this.runShards()",
    },
    {
      change: 'a renamed activity',
      name: 'batch-completed',
      from: /\.finalizeBatch\(/,
      to: '.finishBatch(',
    },
    {
      change: 'a renamed last step',
      name: 'batch-completed-several-shards-few-steps',
      from: /\.concludeBatch\(/,
      to: '.endBatch(',
    },
    {
      change: 'another order of steps for batches of old',
      name: 'batch-completed',
      from: /this\.input\.fewSteps === true/g,
      to: 'true',
    },
    {
      change: 'a last step after a slice that has ended the batch',
      name: 'batch-completed-few-steps',
      from: /this\.concluded \?\? /,
      to: '',
    },
    {
      change: 'a small batch that is shown in progress at once',
      name: 'batch-completed-shown-late',
      from: /this\.waits = input\.showsLate === true/,
      to: 'this.waits = false',
    },
    {
      change: 'a small batch that is not shown in progress after minutes',
      name: 'batch-completed-after-minutes-shown-late',
      from: /this\.view\.waitNoLonger\(\)/,
      to: 'undefined',
    },
    {
      change: 'a cancelled batch whose shards are not closed',
      name: 'batch-cancelled',
      from: /await this\.closeShards\([^)]*\)/g,
      to: 'await undefined',
    },
    {
      change: 'a failed batch whose shards are not closed',
      name: 'batch-recovered-failed',
      from: /await this\.closeShards\([^)]*\)/g,
      to: 'await undefined',
    },
    {
      change: 'a timer for a completion window that is over',
      name: 'batch-expired-before-start',
      from: /remainingMs === 0 && /,
      to: 'remainingMs < 0 && ',
    },
    {
      change: 'another child workflow id',
      name: 'batch-completed-several-shards',
      from: /\/shard-\$\{/,
      to: '/part-${',
    },
    {
      change: 'another id of a notification',
      name: 'batch-notified',
      from: /\/webhook-\$\{/,
      to: '/hook-${',
    },
    {
      change: 'no wait between two attempts at a webhook',
      name: 'notification',
      from: /await \(0, workflow_1\.sleep\)\(delayMs/,
      to: 'await Promise.resolve(delayMs',
    },
  ])('$change', async ({ name, from, to }) => {
    const mutant = bundleCode.replace(from, to);
    expect(mutant).not.toBe(bundleCode);
    await expect(replay(name, mutant)).rejects.toThrow(DeterminismViolationError);
  });
});
