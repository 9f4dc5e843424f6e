/** What of prompts that begin alike an upstream with a prefix cache computes more than once. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { say } from '../../scripts/cli/run-program';
import { pick, randomFrom } from '../../scripts/simulator/random';
import { batchUser, createBatch, isTerminal, pollUntil, verifyResults } from '../bench-batch';
import { benchModel, inBenchFolder, inBenchStack } from '../bench-stack';
import { cannedAnswer } from '../canned-answer';
import { parseNumbers } from '../parse-numbers';
import { PrefixCache } from '../prefix-cache';
import { rounded } from '../process-stats';
import { atMost, type Findings } from '../report';
import { requestLine } from '../request-lines';
import { uploadFile } from '../upload-file';

export const prefixHelp = `prefix: prompt bytes that a prefix cache does not spare, over those of all different prefixes
  --lines N               requests of the batch, in no order (20000)
  --prefixes N            system prompts, one of which each request begins with (100)
  --prefix-bytes N        of each of those (4000)
  --question-bytes N      of each request beside (400)
  --cache-bytes N         prompt bytes that the upstream keeps (200000)
  --in-flight N           requests at a time (64)`;

const defaults = {
  lines: 20_000,
  prefixes: 100,
  'prefix-bytes': 4_000,
  'question-bytes': 400,
  'cache-bytes': 200_000,
  'in-flight': 64,
};
type Parameters = ReturnType<typeof parseNumbers<typeof defaults>>;

const ratioGoal = { floor: 1.3, aim: 1.02 };

interface Run {
  readonly ratio: number;
  readonly prefilled_bytes: number;
  readonly tree_bytes: number;
}

export async function runPrefix(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const inputOrder = await runBatch('input', parameters, abort);
  const prefixOrder = await runBatch('prefix', parameters, abort);
  return {
    ratio: prefixOrder.ratio,
    bar: atMost('ratio', prefixOrder.ratio, ratioGoal),
    reference: { request_order: 'input', ...inputOrder },
    service: { request_order: 'prefix', ...prefixOrder },
    parameters,
  };
}

async function runBatch(
  order: 'input' | 'prefix',
  parameters: Parameters,
  abort: AbortController,
): Promise<Run> {
  const cache = new PrefixCache(parameters['cache-bytes']);
  const server = createServer((request, response) => {
    void answer(cache, request, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const upstream = {
    port: (server.address() as AddressInfo).port,
    inFlight: parameters['in-flight'],
  };
  const workerEnv = { LONGHAUL_REQUEST_ORDER: order };
  try {
    await inBenchFolder(async (folder) => {
      await inBenchStack({ folder, upstream, workerEnv }, abort, async (stack) => {
        const user = batchUser(stack, folder, abort.signal);
        const input = Buffer.from(inputOf(parameters));
        const content = { bytes: input.length, chunks: [input] };
        const { id: fileId } = await uploadFile(stack, content, abort.signal);
        say(`Running a batch whose requests are sent in the order of: ${order} …`);
        const { id } = await createBatch(user, fileId);
        const batch = await pollUntil(user, id, isTerminal);
        const { lines } = parameters;
        await verifyResults(user, batch, { lines, status: 'completed', answered: lines });
      });
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
  const { prefilledBytes, treeBytes } = cache;
  const ratio = rounded(prefilledBytes / treeBytes);
  say(`${ratio} of the prompts' different bytes were computed.`);
  return { ratio, prefilled_bytes: prefilledBytes, tree_bytes: treeBytes };
}

async function answer(
  cache: PrefixCache,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const body = await text(request);
    // Not a health check.
    if (request.method === 'POST') {
      cache.add(promptOf(body));
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(cannedAnswer);
  } catch {
    // The worker that asked has closed the connection.
    response.destroy();
  }
}

interface ChatBody {
  readonly messages: readonly { readonly content: string }[];
}

function promptOf(body: string): string {
  const { messages } = JSON.parse(body) as ChatBody;
  return messages.map(({ content }) => content).join('');
}

/** The same for the same parameters. */
function inputOf(parameters: Parameters): string {
  const random = randomFrom('prefix');
  const prefixes = Array.from({ length: parameters.prefixes }, (_, index) =>
    textOf(`You are assistant ${index}. `, parameters['prefix-bytes']),
  );
  const lines = Array.from({ length: parameters.lines }, (_, ordinal) => {
    const messages = [
      { role: 'system', content: pick(random, prefixes) },
      { role: 'user', content: textOf(`Question ${random()}: `, parameters['question-bytes']) },
    ];
    return requestLine(ordinal, JSON.stringify({ model: benchModel, messages }));
  });
  return lines.join('');
}

function textOf(start: string, bytes: number): string {
  return start.padEnd(bytes, 'and so on ').slice(0, bytes);
}
