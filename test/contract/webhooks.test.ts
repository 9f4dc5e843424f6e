/** Webhooks that a running server really sends, unwrapped by the official clients. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import {
  chatLines,
  clientOf,
  createBatch,
  waitForEnd,
  type Batch,
} from '../../scripts/local/batches';
import { useStack } from '../support/local-stack';
import { admin } from '../support/admin-program';
import { pythonEnvironment, runPythonProgram } from './support/python';
import { WebhookReceiver, type Delivery } from './support/webhook-receiver';

const network = { LONGHAUL_WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8' };
const stack = useStack({
  apiEnv: { ...network, LONGHAUL_COMPLETION_WINDOWS: '24h,2s' },
  workerEnv: { ...network, LONGHAUL_CANCEL_GRACE_MS: '1000' },
});
let receiver: WebhookReceiver;
let client: OpenAI;
let folder: string;
/** Of the project's webhook, and of webhooks that a batch names itself. */
const secrets = { '/project': '', '/batch': '' };
const paths = ['/project', '/batch'] as const;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  client = clientOf(stack());
  folder = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  const added = await admin(stack(), ['webhooks', 'add', receiver.urlOf('/project')], network);
  secrets['/project'] = secretIn(added);
  secrets['/batch'] = secretIn(await admin(stack(), ['webhooks', 'secret']));
});

afterAll(async () => {
  await receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

function secretIn(text: string): string {
  return /whsec_\S+/.exec(text)?.[0] ?? '';
}

async function create(lines: readonly string[], completionWindow = '24h'): Promise<Batch> {
  const content = new File([lines.join('\n')], 'in.jsonl');
  const file = await client.files.create({ file: content, purpose: 'batch' });
  return await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: completionWindow as '24h',
    // What other services have and the client's types do not.
    ...{ webhook_url: receiver.urlOf('/batch') },
  });
}

const slow = chatLines(50, () => '[[slow:20000]]');

/** Batches that end so, and the field with the time at which they did. */
const endings = {
  'batch.completed': [async () => await create(chatLines(1)), 'completed_at'],
  'batch.failed': [async () => await create(['no JSON']), 'failed_at'],
  'batch.expired': [async () => await create(slow, '2s'), 'expired_at'],
  'batch.cancelled': [
    async () => await client.batches.cancel((await create(slow)).id),
    'cancelled_at',
  ],
} as const satisfies Record<string, readonly [() => Promise<Batch>, keyof Batch]>;
const types = Object.keys(endings) as (keyof typeof endings)[];

type SignedDelivery = Omit<Delivery, 'path'> & { readonly secret: string };

/** What the official Python client makes of them: events, or errors. */
async function unwrapInPython(deliveries: readonly SignedDelivery[]): Promise<unknown> {
  const path = join(folder, 'deliveries.json');
  writeFileSync(path, JSON.stringify(deliveries));
  const env = { ...pythonEnvironment(stack()), LONGHAUL_TEST_DELIVERIES: path };
  return await runPythonProgram('unwrap_webhooks.py', env);
}

const pythonClasses = {
  'batch.completed': 'BatchCompletedWebhookEvent',
  'batch.failed': 'BatchFailedWebhookEvent',
  'batch.expired': 'BatchExpiredWebhookEvent',
  'batch.cancelled': 'BatchCancelledWebhookEvent',
};

test('every event is unwrapped by both official clients', async () => {
  const made = await Promise.all(types.map(async (type) => (await endings[type][0]()).id));
  const deliveries: SignedDelivery[] = [];
  const events: unknown[] = [];
  for (const [index, type] of types.entries()) {
    const batch = await waitForEnd(client, made[index] ?? '');
    for (const path of paths) {
      const [{ headers, body }] = await receiver.waitFor(batch.id, path);
      const event = await client.webhooks.unwrap(body, headers, secrets[path]);
      expect(event).toEqual({
        id: expect.stringMatching(/^evt_/),
        object: 'event',
        type,
        created_at: batch[endings[type][1]],
        data: { id: batch.id },
      });
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'webhook-id': expect.stringMatching(/^wh_/),
      });
      deliveries.push({ headers, body, secret: secrets[path] });
      events.push({ class: pythonClasses[type], ...event });
    }
  }
  expect(await unwrapInPython(deliveries)).toEqual(events);
});

test('a webhook with another body, another id or another secret is not ours', async () => {
  const batch = await create(chatLines(1));
  const [{ headers, body }] = await receiver.waitFor(batch.id, '/project');
  const secret = secrets['/project'];
  const forged: readonly SignedDelivery[] = [
    { headers, body: body.replace('completed', 'cancelled'), secret },
    { headers: { ...headers, 'webhook-id': 'wh_other' }, body, secret },
    { headers, body, secret: secrets['/batch'] },
  ];
  for (const one of forged) {
    await expect(client.webhooks.unwrap(one.body, one.headers, one.secret)).rejects.toThrow(
      OpenAI.InvalidWebhookSignatureError,
    );
  }
  const refused = { error: 'InvalidWebhookSignatureError' };
  expect(await unwrapInPython(forged)).toEqual(forged.map(() => refused));
});

test('a webhook that is refused comes again, with the same id and a signature of its own', async () => {
  receiver.refuse(1);
  const { id } = await createBatch(client, chatLines(1));
  const [first, second = first] = await receiver.waitFor(id, '/project', 2);
  expect(second.headers['webhook-id']).toBe(first.headers['webhook-id']);
  expect(second.body).toBe(first.body);
  const timeOf = ({ headers }: Delivery): number => Number(headers['webhook-timestamp']);
  expect(timeOf(second)).toBeGreaterThan(timeOf(first));
  const event = await client.webhooks.unwrap(second.body, second.headers, secrets['/project']);
  expect(event).toMatchObject({ type: 'batch.completed', data: { id } });
});

test('a webhook may be sent again by command', async () => {
  const { id } = await createBatch(client, chatLines(1));
  const [first] = await receiver.waitFor(id, '/project');
  await admin(stack(), ['webhooks', 'redeliver', id]);
  const [, again = first] = await receiver.waitFor(id, '/project', 2);
  expect(again.body).toBe(first.body);
  const event = await client.webhooks.unwrap(again.body, again.headers, secrets['/project']);
  expect(event.data).toEqual({ id });
});
