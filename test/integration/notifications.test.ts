/**
 * Webhooks and e-mail from end to end: batches that really end, receivers that really listen, the
 * operator's built program, and signatures that the official client verifies.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import OpenAI, { toFile } from 'openai';
import {
  chatLines,
  createBatch,
  pollBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { startStack, type Stack } from '../../scripts/local/stack';
import { waitUntil } from '../../scripts/local/wait';
import { admin as runAdminOn } from '../support/admin-program';
import { selfSignedCertificate } from '../support/certificate';
import { MailServer, SmtpRefusal } from '../support/mail-server';
import { connectTemporal } from '../support/temporal-client';
import { unwrapped, WebhookReceiver, type ReceivedWebhook } from '../support/webhook-receiver';

const allowedNetworks = { LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' };

let folder: string;
let stack: Stack;
let mails: MailServer;
let receiver: WebhookReceiver;
let temporal: Client;
/** What the receiver does with a path; 200 where nothing is said. */
const answers = new Map<string, (response: ServerResponse) => void>();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  const authority = join(folder, 'authority.pem');
  writeFileSync(authority, selfSignedCertificate.cert);
  mails = await MailServer.start();
  receiver = await WebhookReceiver.start((response, { url = '' }) => {
    const answer = answers.get(url) ?? ((ok: ServerResponse) => ok.end());
    answer(response);
  }, 'https');
  stack = await startStack({
    stateDir: join(folder, 'state'),
    apiEnv: { LONGHAUL_COMPLETION_WINDOWS: '24h,3s', ...allowedNetworks },
    workerEnv: {
      ...allowedNetworks,
      NODE_EXTRA_CA_CERTS: authority,
      LONGHAUL_SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
      LONGHAUL_EMAIL_FROM: 'Longhaul <batches@example.com>',
    },
  });
  temporal = await connectTemporal(stack);
}, 120_000);

afterAll(async () => {
  await temporal.connection.close();
  await stack.stop();
  await receiver.close();
  await mails.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** The lines that the operator's program prints. */
async function admin(...args: string[]): Promise<string[]> {
  return (await runAdminOn(stack, args, allowedNetworks)).split('\n');
}

/** A client with a key of a project of the test's own. */
async function clientOfProject(project: string): Promise<OpenAI> {
  const [apiKey] = await admin('keys', 'create', '--project', project);
  return new OpenAI({ baseURL: stack.baseUrl, apiKey });
}

interface Endpoint {
  readonly id: string;
  readonly secret: string;
}

async function addWebhook(project: string, path: string, ...options: string[]): Promise<Endpoint> {
  const url = receiver.url(path);
  const lines = await admin('webhooks', 'add', url, '--project', project, ...options);
  const [id = '', secret = ''] = lines.map((line) => line.split(/ +/)[1] ?? '');
  return { id, secret };
}

/** A row of `webhooks deliveries`, once it says what is waited for. */
async function delivery(project: string, state: RegExp): Promise<string> {
  let row: string | undefined;
  await waitUntil(
    async () => {
      const [, ...rows] = await admin('webhooks', 'deliveries', '--project', project);
      row = rows.find((one) => state.test(one));
      return row !== undefined;
    },
    { what: `a delivery like ${state.source}`, timeoutMs: 30_000, intervalMs: 500 },
  );
  return row ?? '';
}

const ids = (webhooks: readonly ReceivedWebhook[]): Set<string | undefined> =>
  new Set(webhooks.map(({ headers }) => headers['webhook-id']));

function timestamp(webhook: ReceivedWebhook | undefined): number {
  return Number(webhook?.headers['webhook-timestamp']);
}

it('a batch that completes is told to every webhook of its project, and to no other', async () => {
  const client = await clientOfProject('all');
  const one = await addWebhook('all', '/one');
  const two = await addWebhook('all', '/two', '--event', 'batch.completed');
  await addWebhook('all', '/failures', '--event', 'batch.failed');
  await addWebhook('another', '/another');
  const batch = await waitForEnd(client, (await createBatch(client, chatLines(3))).id);
  for (const [path, { secret }] of [
    ['/one', one],
    ['/two', two],
  ] as const) {
    const [webhook] = await receiver.wait(1, path);
    expect(await unwrapped(webhook, secret)).toEqual({
      id: expect.stringMatching(/^evt_/),
      object: 'event',
      type: 'batch.completed',
      created_at: batch.completed_at,
      data: { id: batch.id },
    });
    expect(webhook?.headers['webhook-id']).toMatch(/^wh_/);
  }
  await delivery('all', new RegExp(`${two.id} +delivered +1 .* 200 `));
  await temporal.workflow.getHandle(batch.id).result();
  expect(receiver.received.filter(({ path }) => /failures|another/.test(path))).toEqual([]);
});

it('a receiver that fails is told again after five seconds, under the same id', async () => {
  const client = await clientOfProject('flaky');
  const { id, secret } = await addWebhook('flaky', '/flaky');
  answers.set('/flaky', (response) => {
    answers.delete('/flaky');
    response.writeHead(500).end('x'.repeat(100_000));
  });
  const batch = await waitForEnd(client, (await createBatch(client, chatLines(2))).id);
  await receiver.wait(1, '/flaky');
  // The batch has not waited.
  await temporal.workflow.getHandle(batch.id).result();
  const webhooks = await receiver.wait(2, '/flaky');
  expect(ids(webhooks).size).toBe(1);
  expect(timestamp(webhooks[1]) - timestamp(webhooks[0])).toBeGreaterThanOrEqual(4);
  expect(timestamp(webhooks[1]) - timestamp(webhooks[0])).toBeLessThanOrEqual(10);
  await expect(unwrapped(webhooks[1], secret)).resolves.toMatchObject({ type: 'batch.completed' });
  await delivery('flaky', new RegExp(`${id} +delivered +2 `));

  await admin('webhooks', 'redeliver', batch.id, '--project', 'flaky', '--webhook', id);
  const again = await receiver.wait(3, '/flaky');
  expect(ids(again).size).toBe(1);
  await delivery('flaky', new RegExp(`${id} +delivered +3 `));
});

it('a receiver that is gone is disabled, and not told again', async () => {
  const client = await clientOfProject('gone');
  const { id } = await addWebhook('gone', '/gone');
  answers.set('/gone', (response) => response.writeHead(410).end());
  await waitForEnd(client, (await createBatch(client, chatLines(1))).id);
  await delivery('gone', new RegExp(`${id} +stopped +1 .* 410 `));
  const [, row] = await admin('webhooks', 'list', '--project', 'gone');
  expect(row).toMatch(new RegExp(`^${id} .* no +all`));
  const batch = await waitForEnd(client, (await createBatch(client, chatLines(1))).id);
  await temporal.workflow.getHandle(batch.id).result();
  expect(await receiver.wait(1, '/gone')).toHaveLength(1);
});

it('batches that fail, are cancelled or expire are told as such', async () => {
  const client = await clientOfProject('ends');
  const { secret } = await addWebhook('ends', '/ends');
  const slow = chatLines(2_000, (index) => `[[slow:400]] ${index}`);
  const failed = await createBatch(client, ['no JSON']);
  const expired = await createBatch(client, slow, { completionWindow: '3s' });
  const cancelled = await createBatch(client, slow);
  await pollBatch(client, cancelled.id, {
    what: 'some answers',
    timeoutMs: 30_000,
    is: ({ request_counts: counts }) => (counts?.completed ?? 0) > 0,
  });
  await client.batches.cancel(cancelled.id);
  const webhooks = await receiver.wait(3, '/ends');
  const events = await Promise.all(
    webhooks.map(
      async (webhook) => (await unwrapped(webhook, secret)) as OpenAI.Webhooks.UnwrapWebhookEvent,
    ),
  );
  const told = new Map(events.map((event) => [(event.data as { id: string }).id, event]));
  const ended = await Promise.all(
    [failed, expired, cancelled].map(async ({ id }) => await waitForEnd(client, id)),
  );
  for (const [batch, type, at] of [
    [ended[0], 'batch.failed', ended[0]?.failed_at],
    [ended[1], 'batch.expired', ended[1]?.expired_at],
    [ended[2], 'batch.cancelled', ended[2]?.cancelled_at],
  ] as const) {
    expect(told.get(batch?.id ?? '')).toMatchObject({ type, created_at: at });
  }
});

it('a batch with a webhook_url of its own tells it there', async () => {
  const client = await clientOfProject('own');
  const file = await client.files.create({
    file: await toFile(Buffer.from(chatLines(2).join('\n')), 'requests.jsonl'),
    purpose: 'batch',
  });
  const created = (await client.post<Batch>('/batches', {
    body: {
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      webhook_url: receiver.url('/own?token=of-the-customer'),
    },
  })) as Batch;
  const [webhook] = await receiver.wait(1, '/own?token=of-the-customer');
  const [secret = ''] = await admin('webhooks', 'secret', '--project', 'own');
  await expect(unwrapped(webhook, secret)).resolves.toMatchObject({ data: { id: created.id } });
  await delivery('own', / own +delivered +1 /);
  const logs = stack.workers.map((_, index) =>
    readFileSync(stack.state.logFile(`worker-${index + 1}`), 'utf8'),
  );
  expect(logs.join('')).toContain('webhook was called');
  expect(logs.join('')).not.toContain('of-the-customer');
  for (const workflowId of [created.id, `${created.id}/webhook-own`]) {
    const text = await historyOf(workflowId);
    expect(text).toContain(created.id);
    expect(text).not.toContain('of-the-customer');
  }
});

it('recipients of e-mail get one mail, after a server that takes none yet', async () => {
  const client = await clientOfProject('mail');
  await admin('projects', 'set', 'mail', '--email', 'ops@example.com', '--email', 'a@example.org');
  mails.refusalOf = (recipient) => {
    mails.refusalOf = () => undefined;
    return recipient === 'ops@example.com' ? new SmtpRefusal(450) : undefined;
  };
  const batch = await waitForEnd(client, (await createBatch(client, chatLines(2))).id);
  await waitUntil(() => mails.received.length === 2, { what: 'two mails', timeoutMs: 60_000 });
  const [first, second] = mails.received;
  expect(first?.recipients).toEqual(['a@example.org']);
  expect(second?.recipients).toEqual(['ops@example.com']);
  expect(second?.raw).toContain(`Subject: Batch ${batch.id} completed\r\n`);
  expect(second?.raw).toContain('Requests:     2 (2 completed, 0 failed)\r\n');
  expect(second?.raw).toContain(String(batch.output_file_id));
  await delivery('mail', / email +delivered +2 /);
});

it('a worker that dies while it tells is followed by one that tells', async () => {
  const client = await clientOfProject('killed');
  const { secret } = await addWebhook('killed', '/killed');
  answers.set('/killed', () => {
    answers.delete('/killed');
    stack.workers[0]?.kill('SIGKILL');
  });
  await createBatch(client, chatLines(2));
  await receiver.wait(1, '/killed');
  await stack.workers[0]?.exited;
  await stack.workers[0]?.start();
  const webhooks = await receiver.wait(2, '/killed', 90_000);
  expect(ids(webhooks).size).toBe(1);
  await expect(unwrapped(webhooks[1], secret)).resolves.toMatchObject({ type: 'batch.completed' });
  await delivery('killed', / delivered +/);
});

it('histories hold neither addresses nor secrets', async () => {
  const client = await clientOfProject('quiet');
  const { id, secret } = await addWebhook('quiet', '/quiet?token=of-the-project');
  const batch = await waitForEnd(client, (await createBatch(client, chatLines(1))).id);
  await delivery('quiet', / delivered +/);
  for (const workflowId of [batch.id, `${batch.id}/webhook-${id}`]) {
    const text = await historyOf(workflowId);
    expect(text).toContain(id);
    expect(text).not.toContain(secret.slice('whsec_'.length));
    expect(text).not.toContain('of-the-project');
  }
});

/** A history as text, when its workflow has ended. */
async function historyOf(workflowId: string): Promise<string> {
  const handle = temporal.workflow.getHandle(workflowId);
  await handle.result();
  const { events } = await handle.fetchHistory();
  return JSON.stringify(events) + payloadsOf(events).join('');
}

/** Every payload of a history as text. */
function payloadsOf(value: unknown): string[] {
  if (value instanceof Uint8Array) {
    return [Buffer.from(value).toString()];
  }
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((inner) => payloadsOf(inner))
    : [];
}
