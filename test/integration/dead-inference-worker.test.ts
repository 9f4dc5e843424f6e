import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';
import { checkedResults } from '../support/result-checks';
import { connectTemporal } from '../support/temporal-client';

const stack = useStack({
  apiEnv: { LONGHAUL_COMPLETION_WINDOWS: '24h,8s' },
  workerEnv: { LONGHAUL_WORKER_ROLES: 'orchestrator' },
});
let client: OpenAI;
beforeAll(() => {
  client = clientOf(stack());
});

/** The engine does not run a dead worker's activity again once its cancellation was asked for. */
it('batches that end while their inference worker is dead keep what was answered', async () => {
  const worker = await stack().addWorker({ LONGHAUL_WORKER_ROLES: 'inference' });
  const lines = chatLines(2_000, (index) => `[[slow:400]] ${index}`);
  const batches = await Promise.all([
    createBatch(client, lines),
    createBatch(client, lines),
    createBatch(client, lines, { completionWindow: '8s' }),
  ]);
  const answered = await Promise.all(
    batches.map(
      async ({ id }) =>
        await pollBatch(client, id, {
          what: 'some answers',
          timeoutMs: 30_000,
          is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
        }),
    ),
  );
  worker.kill('SIGKILL');
  await worker.exited;

  const [byClient, inWebUi] = batches;
  await client.batches.cancel(byClient.id);
  const temporal = await connectTemporal(stack());
  await temporal.workflow.getHandle(inWebUi.id).cancel();
  await temporal.connection.close();

  const ended = await Promise.all(batches.map(async ({ id }) => await waitForEnd(client, id)));
  expect(ended.map(({ status }) => status)).toEqual(['cancelled', 'cancelled', 'expired']);
  for (const [at, batch] of ended.entries()) {
    const { output } = await checkedResults(client, batch, lines);
    expect(output.length).toBeGreaterThanOrEqual(answered[at]?.request_counts?.completed ?? NaN);
  }
});
