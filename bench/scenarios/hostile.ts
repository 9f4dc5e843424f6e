/** Whether input and upstreams that mean harm stop a process or fill its memory. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { say } from '../../scripts/cli/run-program';
import { batchUser, createBatch, isTerminal, pollUntil, type BatchUser } from '../bench-batch';
import { benchModel, inBenchFolder, inBenchStack, workerPidsOf, type Pids } from '../bench-stack';
import { behaviours, hostileBytes, repeated, startHostileUpstream } from '../hostile-upstream';
import { loopWatchEnv, readStalls } from '../loop-watch';
import { parseNumbers } from '../parse-numbers';
import { peakRssBytes, resetPeakRss, rounded } from '../process-stats';
import { everyBar, type Findings } from '../report';
import { uploadFile } from '../upload-file';
import { readWorkflowSize } from '../workflow-size';

export const hostileHelp = `hostile: the longest that the event loop of a process stands still, and its memory
  --bad-lines N           lines of one byte each in a file (5000000)
  --endless-megabytes N   of a file that is one line (1000)
  --large-lines N         lines, and answers, of 15 MB of each kind (2)
  --slow-lines N          requests of each kind that are answered slowly or never (20)`;

const defaults = {
  'bad-lines': 5_000_000,
  'endless-megabytes': 1_000,
  'large-lines': 2,
  'slow-lines': 20,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const stallMsMax = 100;
const rssBytesMax = 1_000_000_000;
const requestTimeoutSeconds = 2;
/** By default, requests that are never answered would be held for a quarter of an hour. */
const outagePatienceMs = 10_000;
const inFlight = 16;

/** A file, and how its batch must end. */
interface HostileFile {
  readonly name: string;
  /** That must have an outcome. */
  readonly lines: number;
  readonly bytes: number;
  readonly chunks: Iterable<Buffer>;
  readonly ends: 'completed' | 'failed';
}

interface CaseResult {
  readonly name: string;
  readonly seconds: number;
  /** Lines that the upstream has answered. */
  readonly completed: number;
  /** By process, in milliseconds; 0 when none was longer than 20. */
  readonly longestStallMs: Readonly<Record<string, number>>;
  readonly peakRssBytes: Readonly<Record<string, number>>;
  /** Attempts above the first of any activity: a heartbeat that came too late makes one. */
  readonly activityRetries: number;
}

export async function runHostile(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const upstream = await startHostileUpstream();
  try {
    return await inBenchFolder(async (folder) => {
      const stalls = join(folder, 'stalls');
      mkdirSync(stalls);
      const env = loopWatchEnv(stalls);
      const options = {
        ...{ folder, apiEnv: env },
        workerEnv: { ...env, LONGHAUL_OUTAGE_PATIENCE_MS: String(outagePatienceMs) },
        upstream: { port: upstream.port, inFlight, requestTimeoutSeconds },
      };
      return await inBenchStack(options, abort, async (stack) => {
        const user = batchUser(stack, folder, abort.signal);
        const connection = await Connection.connect({ address: stack.temporal.address });
        const client = new Client({ connection, namespace: stack.temporal.namespace });
        const results: CaseResult[] = [];
        for (const file of filesOf(parameters)) {
          results.push(await runCase({ user, client, stalls }, file));
        }
        await connection.close();
        return findingsOf(results, parameters);
      });
    });
  } finally {
    await upstream.close();
  }
}

interface World {
  readonly user: BatchUser;
  readonly client: Client;
  readonly stalls: string;
}

async function runCase({ user, client, stalls }: World, file: HostileFile): Promise<CaseResult> {
  const { stack, signal } = user;
  const pids: Pids = { api: stack.process('api').pid, ...workerPidsOf(stack) };
  Object.values(pids).forEach(resetPeakRss);
  say(`${file.name}: ${Math.round(file.bytes / 1e6)} MB …`);
  const began = { at: Date.now(), on: performance.now() };
  const { id: fileId } = await uploadFile(stack, file, signal);
  const { id } = await createBatch(user, fileId);
  const batch = await pollUntil(user, id, isTerminal);
  const { completed = 0, failed = 0 } = batch.request_counts ?? {};
  if (batch.status !== file.ends || completed + failed !== file.lines) {
    const found = JSON.stringify(batch.request_counts);
    throw new Error(`${file.name}: the batch is ${batch.status}, with lines ${found}.`);
  }
  const { retries } = await readWorkflowSize(client, id);
  const noted = readStalls(stalls).filter(({ endedAt }) => endedAt >= began.at);
  const longest = (pid: number): number =>
    noted.reduce((most, stall) => (stall.pid === pid ? Math.max(most, stall.ms) : most), 0);
  const ofEach = (value: (pid: number) => number): Record<string, number> =>
    Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, value(pid)]));
  const result = {
    name: file.name,
    seconds: rounded((performance.now() - began.on) / 1000),
    completed,
    longestStallMs: ofEach(longest),
    peakRssBytes: ofEach(peakRssBytes),
    activityRetries: retries,
  };
  say(JSON.stringify(result));
  return result;
}

function filesOf(parameters: Parameters): HostileFile[] {
  const { 'large-lines': large, 'slow-lines': slow } = parameters;
  const prompt = (text: string): string => JSON.stringify([{ role: 'user', content: text }]);
  const quietEnd = 'x'.repeat(hostileBytes);
  const largeMessages = [
    prompt(quietEnd),
    `[{"role":"user","content":"${repeated('\\"')}"}]`,
    `[${repeated('{},')}{}]`,
    `[${repeated('"",')}""]`,
  ];
  const answers = (['objects', 'escapes', 'breaks'] as const).map((kind) =>
    prompt(behaviours[kind]),
  );
  const slowly = (['trickle', 'crumbs', 'drip', 'never'] as const).map((kind) =>
    prompt(behaviours[kind]),
  );
  return [
    requestsFile('large lines', { messages: largeMessages, times: large }),
    requestsFile('large answers', { messages: answers, times: 8 * large }),
    requestsFile('slow answers', { messages: [...slowly, prompt('hello')], times: slow }),
    repeatedFile('bad lines', 'x\n', parameters['bad-lines'] * 2),
    repeatedFile('one endless line', 'x', parameters['endless-megabytes'] * 1e6),
  ];
}

function requestsFile(
  name: string,
  { messages, times }: { readonly messages: readonly string[]; readonly times: number },
): HostileFile {
  const line = (text: string, number: number): Buffer =>
    Buffer.from(
      `{"custom_id":"${String(number).padStart(8, '0')}","method":"POST","url":"/v1/chat/completions","body":{"messages":${text},"model":"${benchModel}"}}\n`,
    );
  const bytes = messages.reduce((sum, text) => sum + line(text, 0).length, 0) * times;
  function* chunks(): Generator<Buffer> {
    for (let round = 0; round < times; round++) {
      yield* messages.map((text, index) => line(text, round * messages.length + index));
    }
  }
  const lines = messages.length * times;
  return { name, lines, bytes, chunks: chunks(), ends: 'completed' };
}

const chunkBytes = 65_536;

function repeatedFile(name: string, pattern: string, bytes: number): HostileFile {
  const chunk = Buffer.alloc(chunkBytes, pattern);
  function* chunks(): Generator<Buffer> {
    for (let left = bytes; left > 0; left -= chunkBytes) {
      yield chunk.subarray(0, left);
    }
  }
  return { name, lines: 0, bytes, chunks: chunks(), ends: 'failed' };
}

function findingsOf(results: readonly CaseResult[], parameters: Parameters): Findings {
  const most = (values: (result: CaseResult) => Readonly<Record<string, number>>): number =>
    Math.max(...results.flatMap((result) => Object.values(values(result))));
  const stallMs = most((result) => result.longestStallMs);
  const rssBytes = most((result) => result.peakRssBytes);
  const retries = results.reduce((sum, result) => sum + result.activityRetries, 0);
  return {
    ratio: rounded(stallMs / stallMsMax),
    bar: everyBar([
      { asks: `no stall above ${stallMsMax} ms`, met: stallMs <= stallMsMax },
      { asks: 'no activity started again', met: retries === 0 },
      { asks: `no process above ${rssBytesMax} bytes`, met: rssBytes <= rssBytesMax },
    ]),
    reference: { stall_ms: stallMsMax, rss_bytes: rssBytesMax },
    service: {
      longest_stall_ms: stallMs,
      peak_rss_bytes: rssBytes,
      cases: results.map((result) => ({
        name: result.name,
        seconds: result.seconds,
        completed: result.completed,
        longest_stall_ms: result.longestStallMs,
        peak_rss_bytes: result.peakRssBytes,
        activity_retries: result.activityRetries,
      })),
    },
    parameters: {
      ...parameters,
      request_timeout_seconds: requestTimeoutSeconds,
      outage_patience_ms: outagePatienceMs,
    },
  };
}
