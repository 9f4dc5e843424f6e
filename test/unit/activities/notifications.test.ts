import { createNotificationActivities, type NotificationActivities } from '../../../activities';
import type { NewBatch } from '../../../src/domain/batch';
import type { WebhookEndpointId } from '../../../src/domain/ids';
import { webhookId, type WebhookEndpoint } from '../../../src/domain/webhook';
import type { NotificationInput } from '../../../src/domain/workflow-contract';
import type { Mail, MailAnswer } from '../../../src/notifications/mailer';
import { makeSigningSecret } from '../../../src/notifications/signature';
import type { WebhookAnswer, WebhookRequest } from '../../../src/notifications/webhook-sender';
import { WebhookStore } from '../../../src/storage/webhook-store';
import { ActivityWorld, anEnvironment } from '../../support/activity-world';
import { aBatchId, aNewBatch, projectId, startedAt } from '../../support/batches';
import { unwrapped, type ReceivedWebhook } from '../../support/webhook-receiver';

const ref = { projectId, batchId: aBatchId() };
const url = 'https://example.com/hook';
const endpointId: WebhookEndpointId = 'we_0123456789abcdef';

/** One process with a network of the test's own. */
class NotificationWorld {
  readonly world = new ActivityWorld();
  readonly webhooks = new WebhookStore(this.world.store);
  readonly sent: WebhookRequest[] = [];
  readonly mails: Mail[] = [];
  answer: WebhookAnswer = { status: 200, retryAfter: undefined };
  mailAnswer: Partial<MailAnswer> = {};

  activities({ hasMailer = true } = {}): NotificationActivities {
    const mailer = {
      send: async (mail: Mail): Promise<MailAnswer> => {
        this.mails.push(mail);
        const accepted = [...mail.recipients];
        return await Promise.resolve({
          ...{ status: 250, error: null, accepted, refused: [] },
          ...this.mailAnswer,
        });
      },
    };
    return createNotificationActivities({
      ...this.world.deps,
      webhooks: this.webhooks,
      webhookSender: {
        send: async (request) => {
          this.sent.push(request);
          return await Promise.resolve(this.answer);
        },
      },
      ...(hasMailer && { mailer }),
    });
  }

  async run<T>(
    call: (activities: NotificationActivities) => Promise<T>,
    activities = this.activities(),
  ): Promise<T> {
    return await anEnvironment().run(async () => await call(activities));
  }

  async plan(activities = this.activities()): Promise<readonly string[]> {
    return await this.run(async (control) => await control.planNotifications(ref), activities);
  }

  async notify(input: Partial<NotificationInput> = {}): Promise<unknown> {
    return await this.run(
      async (activities) =>
        await activities.notify({ ref, target: endpointId, attemptNumber: 1, ...input }),
    );
  }
}

/** A world with a batch that did not validate, and with one endpoint. */
async function endedWorld(
  changes: {
    readonly batch?: Partial<NewBatch>;
    readonly endpoint?: Partial<WebhookEndpoint>;
  } = {},
): Promise<NotificationWorld> {
  const world = new NotificationWorld();
  const { batches } = world.world.deps;
  await batches.create(aNewBatch(changes.batch));
  await batches.apply(ref, { type: 'validation_failed', at: startedAt + 5, errors: [] });
  await world.webhooks.create({
    id: endpointId,
    projectId,
    createdAt: startedAt,
    url,
    events: null,
    isEnabled: true,
    secret: { current: makeSigningSecret() },
    ...changes.endpoint,
  });
  return world;
}

async function withRecipients(emails: readonly string[]): Promise<NotificationWorld> {
  const world = await endedWorld();
  await world.world.deps.projects.update(projectId, () => {
    return { id: projectId, createdAt: startedAt, limits: {}, emails };
  });
  return world;
}

/** As a receiver sees it. */
function received(request: WebhookRequest | undefined): ReceivedWebhook {
  const { headers = {}, body = new Uint8Array() } = request ?? {};
  return { path: '', headers, body: Buffer.from(body).toString() };
}

describe('who is told', () => {
  it('is nobody, without webhooks and recipients', async () => {
    const world = await endedWorld();
    await world.webhooks.delete(projectId, endpointId);
    expect(await world.plan()).toEqual([]);
  });

  it('is every webhook that wants the event, the batch’s own, and the recipients', async () => {
    const world = await withRecipients(['ops@example.com']);
    expect(await world.plan()).toEqual([endpointId, 'email']);
    expect(await world.plan(world.activities({ hasMailer: false }))).toEqual([endpointId]);
    const own = await endedWorld({ batch: { webhookUrl: url } });
    expect(await own.plan()).toEqual([endpointId, 'own']);
  });

  it.each([{ isEnabled: false }, { events: ['batch.completed' as const] }])(
    'is no webhook with %j',
    async (endpoint) => {
      expect(await (await endedWorld({ endpoint })).plan()).toEqual([]);
    },
  );

  it('is nobody who has been told, or was given up', async () => {
    for (const state of ['delivered', 'failed', 'stopped'] as const) {
      const world = await endedWorld();
      await world.webhooks.updateDelivery(ref, endpointId, (log) => ({ ...log, state }));
      expect(await world.plan()).toEqual([]);
    }
    const pending = await endedWorld();
    await pending.webhooks.updateDelivery(ref, endpointId, (log) => log);
    expect(await pending.plan()).toEqual([endpointId]);
  });
});

describe('a webhook', () => {
  it('is OpenAI’s event, signed, and logged without address and answer', async () => {
    const world = await endedWorld();
    world.world.nowMs = Date.now();
    expect(await world.notify()).toEqual({ state: 'delivered' });
    const [request] = world.sent;
    const endpoint = await world.webhooks.get(projectId, endpointId);
    const event = await unwrapped(received(request), endpoint?.secret.current ?? '');
    expect(event).toEqual({
      id: `evt_${aBatchId().slice('batch_'.length)}`,
      object: 'event',
      type: 'batch.failed',
      created_at: startedAt + 5,
      data: { id: aBatchId() },
    });
    expect(received(request).body).toMatch(
      /^{"id":"evt_\w+","object":"event","type":"batch.failed","created_at":\d+,"data":{"id":"batch_\w+"}}$/,
    );
    expect(request).toMatchObject({
      url,
      headers: {
        'content-type': 'application/json',
        'user-agent': expect.stringMatching(/^Longhaul\//),
        'webhook-id': webhookId(aBatchId(), endpointId),
        'webhook-timestamp': String(Math.floor(world.world.nowMs / 1000)),
      },
    });
    const at = Math.floor(world.world.nowMs / 1000);
    expect(await world.webhooks.getDelivery(ref, endpointId)).toEqual({
      target: endpointId,
      state: 'delivered',
      attempts: [{ at, durationMs: 0, status: 200, error: null }],
    });
  });

  it('keeps its id and its bytes with each attempt, and takes a new time', async () => {
    const world = await endedWorld();
    world.answer = { status: 500, retryAfter: '30' };
    expect(await world.notify()).toEqual({ state: 'pending', retryAfterSeconds: 30 });
    world.world.nowMs += 5_000;
    await world.notify({ attemptNumber: 2 });
    const [first, second] = world.sent;
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.body).toEqual(first?.body);
    expect(Number(second?.headers['webhook-timestamp'])).toBe(
      Number(first?.headers['webhook-timestamp']) + 5,
    );
    expect(await world.webhooks.getDelivery(ref, endpointId)).toMatchObject({
      state: 'pending',
      attempts: [{ status: 500 }, { status: 500 }],
    });
  });

  it.each<[WebhookAnswer, number, string]>([
    [{ status: 204, retryAfter: undefined }, 1, 'delivered'],
    [{ status: 301, retryAfter: undefined }, 1, 'pending'],
    [{ status: 404, retryAfter: undefined }, 1, 'pending'],
    [{ error: 'address_refused' }, 1, 'pending'],
    [{ error: 'timeout' }, 9, 'pending'],
    [{ error: 'timeout' }, 10, 'failed'],
    [{ status: 410, retryAfter: undefined }, 1, 'stopped'],
  ])('with %j to attempt %i is %s', async (answer, attemptNumber, state) => {
    const world = await endedWorld();
    world.answer = answer;
    expect(await world.notify({ attemptNumber })).toMatchObject({ state });
    const log = await world.webhooks.getDelivery(ref, endpointId);
    expect(log).toMatchObject({
      state,
      attempts: [{ status: null, error: null, ...without(answer, 'retryAfter') }],
    });
  });

  it('is disabled by a 410, unless it leads elsewhere by now', async () => {
    const world = await endedWorld();
    world.answer = { status: 410, retryAfter: undefined };
    await world.notify();
    expect(await world.webhooks.get(projectId, endpointId)).toMatchObject({ isEnabled: false });
    expect(await world.notify()).toEqual({ state: 'stopped' });
    expect(world.sent).toHaveLength(1);
  });

  it('of a batch leads to the address in its record, signed with a secret of the project', async () => {
    const world = await endedWorld({ batch: { webhookUrl: `${url}/own` } });
    world.world.nowMs = Date.now();
    world.answer = { status: 410, retryAfter: undefined };
    expect(await world.notify({ target: 'own' })).toEqual({ state: 'stopped' });
    const never = (): never => {
      throw new Error('There is a secret already');
    };
    const { current } = await world.webhooks.updateSecret(projectId, never);
    const [request] = world.sent;
    expect(request?.url).toBe(`${url}/own`);
    await expect(unwrapped(received(request), current)).resolves.toMatchObject({
      type: 'batch.failed',
    });
  });

  it('is not sent for a batch that is gone, and leaves nothing behind', async () => {
    const world = new NotificationWorld();
    expect(await world.notify()).toEqual({ state: 'stopped' });
    expect(world.sent).toEqual([]);
    expect(await world.webhooks.listDeliveries(ref)).toEqual([]);
  });
});

describe('e-mail', () => {
  const [first, second] = ['ops@example.com', 'team@example.org'] as const;

  it('is sent to all recipients of the project, once', async () => {
    const world = await withRecipients([first, second]);
    expect(await world.notify({ target: 'email' })).toEqual({ state: 'delivered' });
    expect(world.mails).toMatchObject([
      { to: [first, second], recipients: [first, second], subject: `Batch ${aBatchId()} failed` },
    ]);
    expect(await world.notify({ target: 'email' })).toEqual({ state: 'delivered' });
    expect(world.mails).toHaveLength(1);
  });

  it('is sent again to those alone whose server has not taken it', async () => {
    const world = await withRecipients([first, second]);
    world.mailAnswer = { status: 450, accepted: [first] };
    expect(await world.notify({ target: 'email' })).toEqual({ state: 'pending' });
    world.mailAnswer = {};
    expect(await world.notify({ target: 'email', attemptNumber: 2 })).toEqual({
      state: 'delivered',
    });
    expect(world.mails[1]).toMatchObject({ to: [first, second], recipients: [second] });
    expect(world.mails[1]?.messageId).toBe(world.mails[0]?.messageId);
    expect(await world.webhooks.getDelivery(ref, 'email')).toMatchObject({
      settledRecipients: [first, second],
      attempts: [{ status: 450 }, { status: 250 }],
    });
  });

  it('stops when it is refused for good', async () => {
    const world = await withRecipients([first]);
    world.mailAnswer = { status: 550, accepted: [], refused: [first] };
    expect(await world.notify({ target: 'email' })).toEqual({ state: 'stopped' });
  });

  it('is tried ten times', async () => {
    const world = await withRecipients([first]);
    world.mailAnswer = { status: null, error: 'connection_failed', accepted: [] };
    const attempt = async (attemptNumber: number): Promise<unknown> =>
      await world.notify({ target: 'email', attemptNumber });
    expect(await attempt(9)).toEqual({ state: 'pending' });
    expect(await attempt(10)).toEqual({ state: 'failed' });
  });

  it('is not sent to a project without recipients', async () => {
    const world = await withRecipients([]);
    expect(await world.notify({ target: 'email' })).toEqual({ state: 'stopped' });
    expect(world.mails).toEqual([]);
  });
});

function without(answer: WebhookAnswer, name: string): object {
  return Object.fromEntries(Object.entries(answer).filter(([key]) => key !== name));
}
