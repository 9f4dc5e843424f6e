/** Clocks of machines that do not agree, and that jump. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { readLogSince } from '../../scripts/local/logs';
import { waitUntil } from '../../scripts/local/wait';
import { checkedResults } from '../support/result-checks';
import { useUpstreamStack } from '../support/upstream-stack';

/** S3 takes a clock that is off by a quarter of an hour. */
const tenMinutesMs = 600_000;
const hourMs = 3_600_000;

type Program = 'api' | 'worker';

const folder = mkdtempSync(join(tmpdir(), 'longhaul-clocks-'));
const clockFile = (program: Program): string => join(folder, program);

function shift(program: Program, shiftMs: number): void {
  const unfinished = `${clockFile(program)}.unfinished`;
  writeFileSync(unfinished, String(shiftMs));
  renameSync(unfinished, clockFile(program));
}

function shifted(program: Program): Record<string, string> {
  shift(program, 0);
  return {
    NODE_OPTIONS: `--require=${resolve(__dirname, '../support/clock-shift.cjs')}`,
    LONGHAUL_TEST_CLOCK: clockFile(program),
  };
}

const started = useUpstreamStack({
  apiEnv: { ...shifted('api'), LONGHAUL_COMPLETION_WINDOWS: '24h,5m,6s' },
  workerEnv: shifted('worker'),
});
let client: OpenAI;

beforeAll(() => {
  client = clientOf(started().stack);
});

afterEach(() => {
  shift('api', 0);
  shift('worker', 0);
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The API's own clock, as batches are told it. */
async function apiClockShows(shiftMs: number): Promise<void> {
  await waitUntil(
    async () => {
      const { created_at: createdAt } = await createBatch(client, chatLines(1));
      return Math.abs(createdAt * 1000 - (Date.now() + shiftMs)) < tenMinutesMs / 2;
    },
    { what: 'the clock to jump', timeoutMs: 10_000 },
  );
}

/** Its status in the end, when its times are in order and no line is missing. */
async function endOf({ id }: Batch, lines: readonly string[]): Promise<Batch['status']> {
  const batch = await waitForEnd(client, id);
  const times = [
    batch.created_at,
    batch.in_progress_at,
    batch.finalizing_at,
    batch.completed_at ?? batch.expired_at,
  ].map(Number);
  expect(times).toEqual([...times].sort((one, other) => one - other));
  expect(times[0]).toBeGreaterThan(0);
  await checkedResults(client, batch, lines);
  return batch.status;
}

it.each([
  ['behind', -tenMinutesMs, tenMinutesMs],
  ['ahead', tenMinutesMs, -tenMinutesMs],
])('an API whose clock is %s takes nothing off a completion window', async (_, apiMs, workerMs) => {
  shift('api', apiMs);
  shift('worker', workerMs);
  await apiClockShows(apiMs);
  const quick = chatLines(20);
  const slow = chatLines(1_500, (index) => `[[slow:400]] ${index}`);
  const completed = await createBatch(client, quick, { completionWindow: '5m' });
  const expired = await createBatch(client, slow, { completionWindow: '6s' });
  expect(await endOf(completed, quick)).toBe('completed');
  expect(await endOf(expired, slow)).toBe('expired');
});

it('a clock that jumps by an hour and back holds a batch up, and costs nothing', async () => {
  const lines = chatLines(300, (index) => `[[slow:200]] ${index}`);
  const { upstream, stack } = started();
  upstream.reset();
  const batch = await createBatch(client, lines, { completionWindow: '5m' });
  await pollBatch(client, batch.id, {
    what: 'some answers',
    timeoutMs: 60_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });

  shift('worker', hourMs);
  const logFile = stack.workers[0]?.logFile ?? '';
  await waitUntil(
    () => /RequestTimeTooSkewed.*waiting for the object store/.test(readLogSince(logFile, 0)),
    {
      what: 'the worker to tell what it waits for',
      timeoutMs: 30_000,
    },
  );
  shift('worker', 0);

  expect(await endOf(batch, lines)).toBe('completed');
  expect(upstream.stats().repeats).toBe(0);
});
