/** Workflow code that changes while batches run, as a deploy changes it. */
import type { Client } from '@temporalio/client';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { builtBundle, changedBundle, OtherVersion } from '../support/other-version';
import { checkedResults } from '../support/result-checks';
import { connectTemporal } from '../support/temporal-client';
import { useTemporaryFolder } from '../support/temporary-folder';
import { useUpstreamStack } from '../support/upstream-stack';

const place = 'await this.runShards()';
const step = "await (0, workflow_1.sleep)('100ms')";
const guarded = `if ((0, workflow_1.patched)('new-step')) { ${step}; } ${place}`;
const unguarded = `${step}; ${place}`;

const started = useUpstreamStack({});
const folder = useTemporaryFolder();
let client: OpenAI;
let temporal: Client;

beforeAll(async () => {
  const logging = { filter: { core: 'ERROR', other: 'ERROR' }, forward: {} } as const;
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging } });
  const { stack } = started();
  client = clientOf(stack);
  temporal = await connectTemporal(stack);
});

afterAll(async () => {
  await temporal.connection.close();
});

type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

async function historyOf(workflowId: string): Promise<History> {
  const handle = temporal.workflow.getHandle(workflowId);
  // A batch is terminal a moment before its workflow ends.
  await handle.result();
  return await handle.fetchHistory();
}

function timersIn({ events }: History): number {
  return (events ?? []).filter((event) => event.timerStartedEventAttributes).length;
}

it('a batch goes on over a changed workflow, and what changed is for new batches', async () => {
  const { stack, upstream } = started();
  const lines = chatLines(500, (index) => `[[slow:200]] ${index}`);
  const { id } = await createBatch(client, lines);
  await pollBatch(client, id, {
    what: 'some answers',
    timeoutMs: 60_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });

  const next = new OtherVersion(stack, folder(), changedBundle(place, guarded));
  await stack.workers[0]?.stop();
  await next.start();
  const batch = await waitForEnd(client, id);
  const newBatch = await waitForEnd(client, (await createBatch(client, chatLines(5))).id);
  const [history, newHistory] = [await historyOf(id), await historyOf(newBatch.id)];
  await next.stop();

  expect([batch.status, newBatch.status]).toEqual(['completed', 'completed']);
  await checkedResults(client, batch, lines);
  expect(upstream.stats().repeats).toBe(0);
  // That of the completion window, and the one of the new step.
  expect([timersIn(history), timersIn(newHistory)]).toEqual([1, 2]);

  const replay = async (code: string): Promise<void> => {
    await Worker.runReplayHistory({ workflowBundle: { code } }, history, id);
  };
  await expect(replay(builtBundle())).resolves.toBeUndefined();
  await expect(replay(changedBundle(place, unguarded))).rejects.toThrow(DeterminismViolationError);
});
