/** `npm run demo`: one batch through the whole system, as a user would run it. */
import { join } from 'node:path';
import { once } from 'node:events';
import { OpenAI } from 'openai';
import type { Batch } from 'openai/resources';
import { portsForDemo } from './cli/demo-ports';
import { parseOptions, userPath } from './cli/parse-options';
import { runProgram, say } from './cli/run-program';
import { checkResults, isComplete } from './demo/check-results';
import { chooseUpstream } from './demo/choose-upstream';
import { readInputFile, type InputFile } from './demo/input-file';
import { downloadResults, runBatch } from './demo/run-batch';
import { summaryOf } from './demo/summary';
import { describeExit } from './local/managed-process';
import { projectRoot } from './local/project-root';
import { startStack, type Stack, type StackOptions } from './local/stack';
import { clearStateFolder } from './local/state-folder';

const usage = `Usage: npm run demo [-- options]

Starts Temporal, MinIO, an upstream, API and worker, sends a batch of requests through them with the
OpenAI client, compares the result files with the input, and stops everything.

  --input FILE       a batch input file (default: examples/support-tickets.jsonl)
  --upstream URL     an inference server that speaks OpenAI's API (default: a simulated one); its key,
                     if it wants one, is taken from LONGHAUL_UPSTREAM_API_KEY
  --model NAME       the server's model to use, whatever the file asks for
  --endpoint PATH    the batch's endpoint (default: the url of the file's first line)
  --keep             leave everything up afterwards, until Ctrl-C
  --help

Result files stay in .longhaul/demo. Exit code: 0 when every request has exactly one result line.
`;

const options = {
  input: { type: 'string', default: join(projectRoot, 'examples', 'support-tickets.jsonl') },
  upstream: { type: 'string' },
  model: { type: 'string' },
  endpoint: { type: 'string' },
  keep: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

const demoFolder = join(projectRoot, '.longhaul', 'demo');
/** Slow enough to watch; the example takes a few seconds. */
const simulatedLatencyMs = '200';

export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async (abort) => {
    const { help, keep, ...wish } = parseOptions(args, options);
    if (help) {
      process.stdout.write(usage);
      return 0;
    }
    const input = await readInputFile(userPath(wish.input));
    const upstream = await chooseUpstream({ url: wish.upstream, model: wish.model }, input.model);
    const stack = await startForDemo({ upstream }, abort);
    try {
      const isGood = await demonstrate(
        stack,
        { ...input, endpoint: wish.endpoint ?? input.endpoint },
        abort.signal,
      );
      await (keep ? waitForInterrupt(abort.signal) : undefined);
      return isGood ? 0 : 1;
    } finally {
      say('Stopping everything …');
      await stack.stop();
      say(
        'Everything is stopped. `npm start` brings it up to stay; `npm run demo -- --keep` waits.',
      );
    }
  });
}

async function startForDemo(
  options: Pick<StackOptions, 'upstream'>,
  abort: AbortController,
): Promise<Stack> {
  const stateDir = join(demoFolder, 'state');
  const ports = await portsForDemo();
  clearStateFolder(stateDir);
  say('Starting Temporal, MinIO, upstream, API and worker …');
  const started = performance.now();
  const stack = await startStack({
    ...options,
    stateDir,
    ports,
    simulatorEnv: { LONGHAUL_SIMULATOR_LATENCY_MS: simulatedLatencyMs },
    signal: abort.signal,
    onCrash: (process, exit) => {
      abort.abort(process.failure(describeExit(exit)));
    },
  });
  say(`Everything is up after ${((performance.now() - started) / 1000).toFixed(1)} s.`);
  return stack;
}

async function demonstrate(stack: Stack, input: InputFile, signal: AbortSignal): Promise<boolean> {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  const started = performance.now();
  const batch = await runBatch(client, {
    inputPath: input.path,
    endpoint: input.endpoint,
    signal,
    onCreated: ({ id }) => {
      say(`Batch ${id}, to be watched at ${workflowUrl(stack, id)}`);
    },
  });
  const seconds = (performance.now() - started) / 1000;
  const folder = join(demoFolder, batch.id);
  const files = await downloadResults(client, batch, { folder, signal });
  const check = await checkResults(input.customIds, files);
  process.stdout.write(
    summaryOf({
      batch,
      check,
      files,
      seconds,
      requests: input.customIds.size,
      urls: urlsOf(stack, batch),
    }),
  );
  return isComplete(check) && batch.status === 'completed';
}

function urlsOf(stack: Stack, batch: Batch): Readonly<Record<string, string>> {
  return {
    API: stack.baseUrl,
    'Temporal Web UI': workflowUrl(stack, batch.id),
    'MinIO console': `${stack.store.consoleUrl} (user and password: ${stack.state.credentialsFile})`,
  };
}

function workflowUrl(stack: Stack, batchId: string): string {
  return `${stack.temporal.uiUrl}/namespaces/${stack.temporal.namespace}/workflows/${batchId}`;
}

async function waitForInterrupt(signal: AbortSignal): Promise<void> {
  say('Everything is left up; Ctrl-C stops it.');
  await once(signal, 'abort');
  signal.throwIfAborted();
}
