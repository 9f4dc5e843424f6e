/** Two upstreams that serve one model, over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type OpenAI from 'openai';
import { stringify } from 'yaml';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
} from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { demoModel } from '../../scripts/local/upstream-choice';
import { startSimulatedUpstream, type SimulatedUpstream } from '../../scripts/simulated-upstream';
import { checkedResults } from '../support/result-checks';

const nameOfHeavy = 'org/Shared-8B';

let stateDir: string;
let stack: Stack;
let client: OpenAI;
let light: SimulatedUpstream;
let heavy: SimulatedUpstream;

beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  light = await startSimulatedUpstream({ models: [demoModel] });
  heavy = await startSimulatedUpstream({ models: [nameOfHeavy] });
  const path = join(stateDir, 'upstreams.yaml');
  const more = { request_timeout_seconds: 60, max_in_flight: 16 };
  const models = [{ name: demoModel, upstream_name: nameOfHeavy }];
  const upstreams = [
    { name: 'light', base_url: light.baseUrl, ...more, models: [demoModel] },
    { name: 'heavy', base_url: heavy.baseUrl, ...more, weight: 3, models },
  ];
  writeFileSync(path, stringify({ upstreams }));
  stack = await startStack({ stateDir: join(stateDir, 'stack'), upstream: { kind: 'file', path } });
  client = clientOf(stack);
}, 120_000);

afterAll(async () => {
  await stack.stop();
  await Promise.all([light.close(), heavy.close()]);
  rmSync(stateDir, { recursive: true, force: true });
}, 60_000);

function linesOf(count: number): string[] {
  return chatLines(count, (index) => `[[slow:200]] ${index}`);
}

/** How many lines of the batch were answered, once it has ended. */
async function answersOf(batchId: string, lines: readonly string[]): Promise<number> {
  const { output } = await checkedResults(client, await waitForEnd(client, batchId), lines);
  return output.length;
}

test('they share the lines by weight while both have room', async () => {
  const lines = linesOf(16);
  const { id } = await createBatch(client, lines);
  expect(await answersOf(id, lines)).toBe(lines.length);
  expect([light.stats().requests, heavy.stats().requests]).toEqual([4, 12]);
});

test('one that dies and comes back costs no line', async () => {
  const lines = linesOf(800);
  const { id } = await createBatch(client, lines);
  const answered = async (what: string, is: () => boolean): Promise<void> => {
    await pollBatch(client, id, { what, timeoutMs: 60_000, is });
  };
  await answered(
    'answers of both',
    () => light.stats().requests > 20 && heavy.stats().requests > 20,
  );
  const port = Number(new URL(heavy.baseUrl).port);
  await heavy.close();
  light.reset();
  await answered('answers of the one that is left', () => light.stats().requests > 40);
  heavy = await startSimulatedUpstream({ models: [nameOfHeavy], port });
  // The batch cannot end without the one that is back.
  light.control({ isRateLimited: true });
  await answered('answers of the one that is back', () => heavy.stats().requests > 20);
  light.control({ isRateLimited: false });
  expect(await answersOf(id, lines)).toBe(lines.length);
});
