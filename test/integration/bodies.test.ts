import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { clientOf, createBatch, waitForEnd } from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { checkedResults } from '../support/result-checks';

/** Numbers that no double holds, a key that occurs twice, escapes that nobody would print again. */
const answer =
  '{"id":"x","big":12345678901234567890,"huge":1e400,"one":1.0,"twice":1,"twice":2,' +
  '"text":"caf\\u00e9 \\ud83d\\ude00","usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}';

const bodies: string[] = [];
let server: Server;
let stateDir: string;
let stack: Stack;

beforeAll(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      // Not those of health checks.
      if (request.method === 'POST') {
        bodies.push(Buffer.concat(chunks).toString());
      }
      response.setHeader('content-type', 'application/json');
      response.end(answer);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stateDir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  const path = join(stateDir, 'upstreams.yaml');
  const upstream = {
    name: 'collects-bodies',
    base_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    // So that requests arrive in the order in which they are sent.
    max_in_flight: 1,
    models: ['plain', { name: 'alias', upstream_name: 'org/Real-Model' }],
  };
  writeFileSync(path, stringify({ upstreams: [upstream] }));
  stack = await startStack({
    stateDir: join(stateDir, 'stack'),
    upstream: { kind: 'file', path },
    workerEnv: { LONGHAUL_REQUEST_ORDER: 'prefix' },
  });
}, 120_000);

afterAll(async () => {
  await stack.stop();
  server.closeAllConnections();
  server.close();
  rmSync(stateDir, { recursive: true, force: true });
}, 60_000);

async function outputOf(line: string): Promise<string> {
  const client = clientOf(stack);
  const batch = await waitForEnd(client, (await createBatch(client, [line])).id);
  expect(batch.status).toBe('completed');
  expect(batch.usage?.total_tokens).toBe(7);
  return await (await client.files.content(batch.output_file_id ?? '')).text();
}

function requestLine(model: string): { readonly line: string; readonly body: string } {
  const body =
    `{ "seed":12345678901234567890, "x":1e400,"x":1.0, "m\\u006fdel" : "${model}",` +
    '"messages":[{"role":"user","content":"{\\"model\\":\\"no\\"} caf\\u00e9 日本"}] }';
  const line = `{"body":${body} ,"url":"/v1/chat/completions","method":"POST", "custom_id":"\\u0061 \\"b\\" é"}`;
  return { line, body };
}

describe('bodies pass byte for byte', () => {
  it('from the input line to the upstream and from its answer to the output line', async () => {
    const { line, body } = requestLine('plain');
    const output = await outputOf(line);
    expect(bodies.at(-1)).toBe(body);
    expect(output).toMatch(/^\{"id":"batch_req_[0-9a-f]{32}","custom_id":"\\u0061 \\"b\\" é",/);
    expect(output.endsWith(`,"body":${answer}},"error":null}\n`)).toBe(true);
  });

  it('but for the name of an alias, which is replaced where it stands', async () => {
    const { line, body } = requestLine('alias');
    await outputOf(line);
    expect(bodies.at(-1)).toBe(body.replace('"alias"', '"org/Real-Model"'));
  });
});

test('requests with equal leading messages arrive one after another; the output is in input order', async () => {
  const subjects = ['law', 'art', 'music'];
  const lines = Array.from({ length: 90 }, (_, ordinal) =>
    lineAbout(subjects[ordinal % 3], ordinal),
  );
  const from = bodies.length;
  const client = clientOf(stack);
  const batch = await waitForEnd(client, (await createBatch(client, lines)).id);
  const arrived = bodies.slice(from).map((body) => /You know (\w+)/.exec(body)?.[1]);
  expect(arrived).toEqual(
    ['art', 'law', 'music'].flatMap((subject) => Array<string>(30).fill(subject)),
  );
  expect((await checkedResults(client, batch, lines)).output).toHaveLength(lines.length);
});

function lineAbout(subject: string | undefined, ordinal: number): string {
  const messages = [
    { role: 'system', content: `You know ${subject ?? 'nothing'}.` },
    { role: 'user', content: `Question ${ordinal}` },
  ];
  const body = { model: 'plain', messages };
  return JSON.stringify({
    custom_id: `${ordinal}`,
    method: 'POST',
    url: '/v1/chat/completions',
    body,
  });
}
