/** `npm start`: everything up until Ctrl-C, with its state kept. */
import { once } from 'node:events';
import { join } from 'node:path';
import { statSync } from 'node:fs';
import { loadModelRoutes } from '../src/config/upstreams';
import { parseOptions, userPath } from './cli/parse-options';
import { runProgram, say } from './cli/run-program';
import { restartOrAbort } from './cli/restart';
import { discoverUpstream, upstreamKeyVariable } from './local/discover-upstream';
import { LocalError } from './local/local-error';
import { portInfo, portsFromEnvironment } from './local/ports';
import { projectRoot } from './local/project-root';
import { startStack, type Stack } from './local/stack';
import { demoModel, type UpstreamChoice } from './local/upstream-choice';

const portLines = Object.values(portInfo)
  .map(({ variable, fallback, owner }) => `  ${variable.padEnd(28)} ${fallback}  ${owner}\n`)
  .join('');

const usage = `Usage: npm start [-- options]

Starts Temporal, MinIO, API and worker and keeps them up until Ctrl-C. Batches, files and keys are
kept in the state folder and go on at the next start.

  --upstream URL         an inference server that speaks OpenAI's API; its key, if it wants one, is
                         taken from ${upstreamKeyVariable}
  --model NAME           a model of that server; may be repeated (default: all that it lists)
  --upstreams-file FILE  several upstreams, as described in docs/configuration.md
                         (default: a simulated upstream that serves ${demoModel})
  --workers N            worker processes (default: 1)
  --state FOLDER         default: .longhaul/state
  --help

Ports are set by variables:
${portLines}`;

const options = {
  upstream: { type: 'string' },
  model: { type: 'string', multiple: true },
  'upstreams-file': { type: 'string' },
  workers: { type: 'string', default: '1' },
  state: { type: 'string', default: join(projectRoot, '.longhaul', 'state') },
  help: { type: 'boolean', default: false, short: 'h' },
} as const;

export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(async (abort) => {
    const { help, ...wish } = parseOptions(args, options);
    if (help) {
      process.stdout.write(usage);
      return 0;
    }
    const workers = parseWorkers(wish.workers);
    const upstream = await chooseUpstream(wish.upstream, wish.model ?? [], wish['upstreams-file']);
    say('Starting Temporal, MinIO, API and worker …');
    const stack = await startStack({
      stateDir: userPath(wish.state),
      ports: portsFromEnvironment(process.env),
      upstream,
      workers,
      signal: abort.signal,
      onCrash: restartOrAbort(abort),
    });
    try {
      process.stdout.write(welcome(stack));
      await once(abort.signal, 'abort');
      abort.signal.throwIfAborted();
      return 0;
    } finally {
      say('\nStopping everything …');
      await stack.stop();
      say('Everything is stopped; its state is kept.');
    }
  });
}

function parseWorkers(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 64) {
    throw new LocalError(`--workers is ${text}: make it a number from 1 to 64.`);
  }
  return count;
}

async function chooseUpstream(
  url: string | undefined,
  models: readonly string[],
  file: string | undefined,
): Promise<UpstreamChoice> {
  if (file !== undefined) {
    return ownFile(userPath(file), url);
  }
  if (url === undefined) {
    return { kind: 'simulated' };
  }
  const found = await discoverUpstream(url);
  const names = models.length > 0 ? models : found.models;
  if (names.length === 0) {
    throw new LocalError(`The upstream ${url} does not say what it serves: name it with --model.`);
  }
  say(`The upstream ${found.baseUrl} answers for: ${names.join(', ')}`);
  const hasKey = (process.env[upstreamKeyVariable] ?? '') !== '';
  return {
    kind: 'server',
    baseUrl: found.baseUrl,
    models: names.map((name) => ({ name })),
    ...(hasKey ? { apiKeyVariable: upstreamKeyVariable } : {}),
  };
}

function ownFile(path: string, url: string | undefined): UpstreamChoice {
  if (url !== undefined) {
    throw new LocalError('Give either --upstream or --upstreams-file, not both.');
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
    throw new LocalError(
      `There is no file ${path}: name an upstreams file, as docs/configuration.md describes it.`,
    );
  }
  const models = [...loadModelRoutes(path, process.env).keys()];
  say(`The upstreams file ${path} names: ${models.join(', ')}`);
  return { kind: 'file', path };
}

function welcome(stack: Stack): string {
  return `
Longhaul is up; Ctrl-C stops it.

  Base URL         ${stack.baseUrl}
  API key          ${stack.apiKey}
  Models           ${[...loadModelRoutes(stack.upstreamsFile, process.env).keys()].join(', ')}
  Temporal Web UI  ${stack.temporal.uiUrl}
  MinIO console    ${stack.store.consoleUrl} (user and password: ${stack.state.credentialsFile})
  Processes        API ${stack.process('api').pid}, workers ${stack.workers.map(({ pid }) => pid).join(', ')}
  Logs             ${join(stack.state.path, 'logs')}

Python:
  from openai import OpenAI
  client = OpenAI(base_url="${stack.baseUrl}", api_key="${stack.apiKey}")
  file = client.files.create(file=open("examples/support-tickets.jsonl", "rb"), purpose="batch")
  print(client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h").id)

curl:
  curl ${stack.baseUrl}/batches -H "Authorization: Bearer ${stack.apiKey}"

`;
}
