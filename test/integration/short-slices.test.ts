import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { chatLines, clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { demoModel } from '../../scripts/local/upstream-choice';
import { startSimulatedUpstream, type SimulatedUpstream } from '../../scripts/simulated-upstream';
import { checkedResults } from '../support/result-checks';

let stateDir: string;
let upstream: SimulatedUpstream;
let stack: Stack;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  upstream = await startSimulatedUpstream({ models: [demoModel], latencyMs: 5 });
  const path = join(stateDir, 'upstreams.yaml');
  const entry = {
    name: 'simulated',
    base_url: upstream.baseUrl,
    request_timeout_seconds: 1,
    max_in_flight: 16,
    models: [demoModel],
  };
  writeFileSync(path, stringify({ upstreams: [entry] }));
  stack = await startStack({
    stateDir: join(stateDir, 'stack'),
    upstream: { kind: 'file', path },
    workerEnv: { LONGHAUL_SLICE_DURATION_MS: '700', LONGHAUL_OUTAGE_PATIENCE_MS: '3000' },
  });
}, 120_000);

afterAll(async () => {
  await stack.stop();
  await upstream.close();
  rmSync(stateDir, { recursive: true, force: true });
}, 60_000);

describe('slices that are shorter than a batch', () => {
  it('hand the shard on without repeating a request', async () => {
    const client = clientOf(stack);
    const lines = chatLines(300, (index) => `[[slow:150]] ${index}`);
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
    expect(batch.status).toBe('completed');
    expect((await checkedResults(client, batch, lines)).output).toHaveLength(300);
    expect(upstream.stats().repeats).toBe(0);
  });

  it('do not forget how often a request has failed', async () => {
    const client = clientOf(stack);
    const lines = chatLines(40, (index) => (index === 17 ? '[[hang]]' : `question ${index}`));
    const batch = await waitForEnd(client, (await createBatch(client, lines)).id, 110_000);
    expect(batch.status).toBe('completed');
    const { output, errors } = await checkedResults(client, batch, lines);
    expect(output).toHaveLength(39);
    expect(errors.map(({ custom_id, error }) => [custom_id, error?.code])).toEqual([
      ['request-17', 'request_timeout'],
    ]);
  });
});
