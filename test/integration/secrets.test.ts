/**
 * No key, prompt or answer in logs, histories or messages: planted ones are looked for, after runs
 * in which everything that can go wrong with a line did, with every process at its most talkative.
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { clientOf, createBatch, resultLines, waitForEnd } from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { makeApiKey } from '../../src/domain/project';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import { ProjectStore } from '../../src/storage/project-store';

const prompt = 'planted-prompt-7f3a';
const answer = 'planted-answer-91c4';
const upstreamKey = 'sk-planted-upstream-key-52e8';
const model = 'small';

const healthyAnswer = JSON.stringify({
  id: 'x',
  choices: [{ message: { role: 'assistant', content: answer } }],
  usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
});

/** Treats a request as its prompt asks; whatever it says, it says the answer and the key too. */
function treat(body: string, response: ServerResponse): void {
  treated += 1;
  const said = `${answer} ${upstreamKey}`;
  if (body.includes('refuse')) {
    response.writeHead(400, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: answer } }));
  } else if (body.includes('fail')) {
    response.writeHead(500).end(said);
  } else if (body.includes('garbage')) {
    response.writeHead(200, { 'content-type': 'application/json' }).end(said);
  } else if (body.includes('reset')) {
    response.destroy();
  } else if (body.includes('redirect')) {
    response.writeHead(302, { location: `http://127.0.0.1:9/?key=${upstreamKey}` }).end(said);
  } else {
    response.writeHead(200, { 'content-type': 'application/json' }).end(healthyAnswer);
  }
}

/** Requests that the upstream has had. */
let treated = 0;
let upstream: Server;
let stateDir: string;
let stack: Stack;

beforeAll(async () => {
  upstream = createServer((request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      treat(Buffer.concat(chunks).toString(), response);
    });
  });
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  process.env['PLANTED_UPSTREAM_KEY'] = upstreamKey;
  stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  stack = await startStack({
    stateDir,
    upstream: {
      kind: 'server',
      baseUrl: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/v1`,
      models: [{ name: model }],
      apiKeyVariable: 'PLANTED_UPSTREAM_KEY',
    },
    apiEnv: { LONGHAUL_LOG_LEVEL: 'debug' },
    workerEnv: { LONGHAUL_LOG_LEVEL: 'debug', LONGHAUL_OUTAGE_PATIENCE_MS: '1000' },
  });
}, 120_000);

afterAll(async () => {
  delete process.env['PLANTED_UPSTREAM_KEY'];
  await stack.stop();
  upstream.close();
  rmSync(stateDir, { recursive: true, force: true });
}, 60_000);

/** A key of a project, made as the operator's command makes it. */
async function plantedKey(): Promise<string> {
  const store = createMinioObjectStore(stack.store);
  const { id, key } = makeApiKey(() => randomBytes(20).toString('hex'));
  const sha256 = createHash('sha256').update(key).digest('hex');
  await new ProjectStore(store).putKey({
    id,
    projectId: 'planted',
    name: '',
    sha256,
    createdAt: 0,
  });
  store.close();
  return key;
}

function line(index: number, wish: string, changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    custom_id: `request-${index}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body: { model, messages: [{ role: 'user', content: `${prompt} ${wish}` }] },
    ...changes,
  });
}

function logs(): string {
  const folder = join(stack.state.path, 'logs');
  return readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

async function histories(): Promise<string> {
  const { address, namespace } = stack.temporal;
  const connection = await Connection.connect({ address });
  const { workflow } = new Client({ connection, namespace });
  const texts: string[] = [];
  for await (const { workflowId, memo, typedSearchAttributes } of workflow.list()) {
    const history = await workflow.getHandle(workflowId).fetchHistory();
    texts.push(JSON.stringify({ memo, typedSearchAttributes, history: decoded(history) }));
  }
  await connection.close();
  expect(texts.length).toBeGreaterThan(4);
  return texts.join('\n');
}

/** Payloads are bytes, which a search for text would not see. */
function decoded(value: unknown): unknown {
  if (value instanceof Uint8Array) {
    return Buffer.from(value).toString('utf8');
  }
  if (Array.isArray(value)) {
    return value.map(decoded);
  }
  return typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, decoded(each)]))
    : value;
}

it('keeps prompts, answers and keys out of logs, histories and messages', async () => {
  const key = await plantedKey();
  const client = clientOf({ baseUrl: stack.baseUrl, apiKey: key });
  const wishes = ['well', 'refuse', 'garbage', 'well'];
  const ran = await createBatch(
    client,
    wishes.map((wish, index) => line(index, wish)),
  );
  const invalid = await createBatch(client, [
    line(0, 'well', { method: prompt }),
    line(1, 'well', { url: `/v1/${prompt}` }),
    line(1, 'well'),
    `{"custom_id": "request-2", "body": "${prompt}`,
    line(3, 'well', { body: [prompt] }),
  ]);

  const [ended, failed] = [await waitForEnd(client, ran.id), await waitForEnd(client, invalid.id)];
  const treatedBefore = treated;
  const hopeless = await createBatch(
    client,
    ['fail', 'reset', 'redirect'].map((wish, index) => line(index, wish)),
  );
  await waitUntil(() => treated >= treatedBefore + 6, {
    what: 'repeated failures',
    timeoutMs: 60_000,
  });
  await client.batches.cancel(hopeless.id);
  const cancelled = await waitForEnd(client, hopeless.id);
  expect(ended.request_counts?.total).toBe(wishes.length);
  expect(ended.request_counts?.completed).toBe(2);
  expect(failed.status).toBe('failed');

  const errors = [
    ...(await resultLines(client, ended.error_file_id)),
    ...(await resultLines(client, cancelled.error_file_id)),
  ];
  const told = JSON.stringify([ended, failed, cancelled, errors.map(({ error }) => error)]);
  const places = { logs: logs(), histories: await histories(), told };
  const secrets = [prompt, answer, upstreamKey, stack.apiKey, key, stack.store.secretKey];
  const found = Object.entries(places).flatMap(([place, text]) =>
    secrets.filter((secret) => text.includes(secret)).map((secret) => `${secret} in ${place}`),
  );
  expect(found).toEqual([]);
  expect(places.histories).toContain(ran.id);
  expect(places.logs).toContain(ran.id);
});
