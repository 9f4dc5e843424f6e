/** Webhooks of a project: made, listed, changed. */
import {
  defaultProjectId,
  isWebhookEndpointId,
  makeWebhookEndpointId,
  type ProjectId,
  type WebhookEndpointId,
} from '../domain/ids';
import { webhookUrlLengthMax } from '../domain/limits';
import {
  rotated,
  webhookEndpointsMax,
  webhookEventTypes,
  type WebhookEndpoint,
  type WebhookEventType,
} from '../domain/webhook';
import { makeSigningSecret } from '../notifications/signature';
import {
  onlyPositional,
  parseCommand,
  parseProjectId,
  printTable,
  shownTime,
  UsageError,
  type AdminCommand,
  type AdminContext,
} from './command';

const project = { type: 'string', default: defaultProjectId } as const;

const add: AdminCommand = {
  usage: `webhooks add URL [--project NAME] [--event ${webhookEventTypes[0]} ...]`,
  summary: 'tell a URL how the batches of a project end; shows its secret, once',
  async run(args, context) {
    const { values, positionals } = parseCommand(args, {
      project,
      event: { type: 'string', multiple: true },
    });
    const projectId = parseProjectId(values.project);
    const url = parseUrl(context, onlyPositional(positionals, 'URL'));
    const events = parseEvents(values.event);
    if ((await context.webhooks.list(projectId)).length >= webhookEndpointsMax) {
      throw new UsageError(`A project has at most ${webhookEndpointsMax} webhooks.`);
    }
    const endpoint: WebhookEndpoint = {
      id: makeWebhookEndpointId(context.randomHex()),
      projectId,
      createdAt: nowSeconds(context),
      url,
      events,
      isEnabled: true,
      secret: { current: makeSigningSecret() },
    };
    await context.webhooks.create(endpoint);
    context.print(`webhook  ${endpoint.id}`);
    context.print(`secret   ${endpoint.secret.current}`);
  },
};

const list: AdminCommand = {
  usage: 'webhooks list [--project NAME]',
  summary: 'show the webhooks of a project, without their secrets',
  async run(args, context) {
    const { values } = parseCommand(args, { project });
    const endpoints = await context.webhooks.list(parseProjectId(values.project));
    printTable(context, [
      ['ID', 'MADE (UTC)', 'ENABLED', 'EVENTS', 'URL'],
      ...endpoints.map(({ id, createdAt, isEnabled, events, url }) => [
        id,
        shownTime(createdAt),
        isEnabled ? 'yes' : 'no',
        events?.join(',') ?? 'all',
        url,
      ]),
    ]);
  },
};

const enable: AdminCommand = {
  usage: 'webhooks enable ID [--project NAME]',
  summary: 'tell a webhook again that was disabled, by hand or by its answer 410',
  async run(args, context) {
    await switchTo(args, context, true);
  },
};

const disable: AdminCommand = {
  usage: 'webhooks disable ID [--project NAME]',
  summary: 'tell a webhook nothing more, and keep it',
  async run(args, context) {
    await switchTo(args, context, false);
  },
};

const remove: AdminCommand = {
  usage: 'webhooks remove ID [--project NAME]',
  summary: 'remove a webhook and its secret',
  async run(args, context) {
    const { projectId, id } = await parseEndpoint(args, context);
    await context.webhooks.delete(projectId, id);
    context.print(`The webhook ${id} is removed.`);
  },
};

const rotate: AdminCommand = {
  usage: 'webhooks rotate ID [--project NAME]',
  summary: 'make a new secret and show it, once; for a day the old one signs too',
  async run(args, context) {
    const next = makeSigningSecret();
    await change(args, context, (endpoint) => ({
      ...endpoint,
      secret: rotated(endpoint.secret, next, nowSeconds(context)),
    }));
    context.print(next);
  },
};

const secret: AdminCommand = {
  usage: 'webhooks secret [--project NAME] [--rotate]',
  summary: "show the secret that signs for the batches' own webhook_url",
  async run(args, context) {
    const { values } = parseCommand(args, {
      project,
      rotate: { type: 'boolean', default: false },
    });
    const projectId = parseProjectId(values.project);
    const next = makeSigningSecret();
    const { current } = await context.webhooks.updateSecret(
      projectId,
      () => ({ current: next }),
      (before) => (values.rotate ? rotated(before, next, nowSeconds(context)) : before),
    );
    context.print(current);
  },
};

async function switchTo(
  args: readonly string[],
  context: AdminContext,
  isEnabled: boolean,
): Promise<void> {
  const { id } = await change(args, context, (endpoint) => ({ ...endpoint, isEnabled }));
  context.print(`The webhook ${id} is ${isEnabled ? 'enabled' : 'disabled'}.`);
}

async function change(
  args: readonly string[],
  context: AdminContext,
  change: (endpoint: WebhookEndpoint) => WebhookEndpoint,
): Promise<WebhookEndpoint> {
  const { projectId, id } = await parseEndpoint(args, context);
  const endpoint = await context.webhooks.update(projectId, id, change);
  return endpoint ?? noEndpoint(id, projectId);
}

async function parseEndpoint(
  args: readonly string[],
  context: AdminContext,
): Promise<{ readonly projectId: ProjectId; readonly id: WebhookEndpointId }> {
  const { values, positionals } = parseCommand(args, { project });
  const projectId = parseProjectId(values.project);
  const id = onlyPositional(positionals, 'ID of a webhook (webhooks list)');
  if (!isWebhookEndpointId(id) || (await context.webhooks.get(projectId, id)) === undefined) {
    return noEndpoint(id, projectId);
  }
  return { projectId, id };
}

function noEndpoint(id: string, projectId: ProjectId): never {
  throw new UsageError(
    `There is no webhook ${JSON.stringify(id)} of project ${projectId}: \`webhooks list\` shows them.`,
  );
}

function parseUrl({ addressGuard }: AdminContext, text: string): string {
  const problem =
    text.length > webhookUrlLengthMax
      ? `it has more than ${webhookUrlLengthMax} characters`
      : addressGuard.problemOf(text);
  if (problem !== undefined) {
    throw new UsageError(`This URL cannot be a webhook: ${problem}.`);
  }
  return text;
}

function parseEvents(names: readonly string[] | undefined): readonly WebhookEventType[] | null {
  const known: readonly string[] = webhookEventTypes;
  const wrong = names?.find((name) => !known.includes(name));
  if (wrong !== undefined) {
    throw new UsageError(
      `${JSON.stringify(wrong)} is no event; there are ${webhookEventTypes.join(', ')}.`,
    );
  }
  return names === undefined ? null : webhookEventTypes.filter((type) => names.includes(type));
}

function nowSeconds({ now }: AdminContext): number {
  return Math.floor(now() / 1000);
}

export const webhookCommands = {
  'webhooks add': add,
  'webhooks list': list,
  'webhooks enable': enable,
  'webhooks disable': disable,
  'webhooks remove': remove,
  'webhooks rotate': rotate,
  'webhooks secret': secret,
};
