/** What became of telling how batches have ended, and telling it again. */
import type { DeliveryLog } from '../domain/delivery';
import {
  defaultProjectId,
  isBatchId,
  isWebhookEndpointId,
  type BatchId,
  type ProjectId,
} from '../domain/ids';
import type { WebhookTarget } from '../domain/webhook';
import { webhookTargets } from '../notifications/targets';
import { eventTypeOf } from '../notifications/webhook-event.wire';
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

/** Batches that are looked at when none is named. */
const batchesShown = 50;

const deliveries: AdminCommand = {
  usage: 'webhooks deliveries [--project NAME] [--batch ID]',
  summary: `show what became of webhooks and e-mail of a batch, or of the newest ${batchesShown}`,
  async run(args, context) {
    const { values } = parseCommand(args, { project, batch: { type: 'string' } });
    const projectId = parseProjectId(values.project);
    const batchIds =
      values.batch === undefined
        ? (await context.batches.list(projectId, { limit: batchesShown })).items
        : [parseBatchId(values.batch)];
    const rows: string[][] = [];
    for (const batchId of batchIds) {
      const logs = await context.webhooks.listDeliveries({ projectId, batchId });
      rows.push(...logs.map((log) => rowOf(batchId, log)));
    }
    printTable(context, [
      ['BATCH', 'TO', 'STATE', 'ATTEMPTS', 'LAST (UTC)', 'ANSWER', 'MS'],
      ...rows,
    ]);
  },
};

const redeliver: AdminCommand = {
  usage: 'webhooks redeliver BATCH [--project NAME] [--webhook ID]',
  summary: "tell the webhooks of a batch again, or one of them (`own`: the batch's webhook_url)",
  async run(args, context) {
    const { values, positionals } = parseCommand(args, { project, webhook: { type: 'string' } });
    const projectId = parseProjectId(values.project);
    const batchId = parseBatchId(onlyPositional(positionals, 'ID of a batch'));
    const targets = await targetsOf(context, { projectId, batchId }, values.webhook);
    for (const target of targets) {
      await context.notifications.restart({ projectId, batchId }, target);
      context.print(`The webhook ${target} is being told.`);
    }
  },
};

function rowOf(batchId: BatchId, { target, state, attempts }: DeliveryLog): string[] {
  const last = attempts.at(-1);
  return [
    batchId,
    target,
    state,
    String(attempts.length),
    last === undefined ? '-' : shownTime(last.at),
    String(last?.status ?? last?.error ?? '-'),
    String(last?.durationMs ?? '-'),
  ];
}

/** @throws {@link UsageError} when nobody is there to tell. */
async function targetsOf(
  { batches, webhooks }: AdminContext,
  ref: { readonly projectId: ProjectId; readonly batchId: BatchId },
  only: string | undefined,
): Promise<readonly WebhookTarget[]> {
  const batch = await batches.get(ref);
  if (batch === undefined) {
    throw new UsageError(`There is no batch ${ref.batchId} of project ${ref.projectId}.`);
  }
  if (eventTypeOf(batch) === undefined) {
    throw new UsageError(`The batch has not ended: it is ${batch.status}.`);
  }
  if (only !== undefined && only !== 'own' && !isWebhookEndpointId(only)) {
    throw new UsageError(`${JSON.stringify(only)} is no ID of a webhook, and not \`own\`.`);
  }
  const targets = (await webhookTargets(webhooks, batch)).filter(
    (target) => only === undefined || target === only,
  );
  if (targets.length === 0) {
    throw new UsageError(
      'Nobody is to be told: there is no such webhook, or it is disabled, or wants other events.',
    );
  }
  return targets;
}

function parseBatchId(text: string): BatchId {
  if (!isBatchId(text)) {
    throw new UsageError(`${JSON.stringify(text)} is no ID of a batch.`);
  }
  return text;
}

export const deliveryCommands = {
  'webhooks deliveries': deliveries,
  'webhooks redeliver': redeliver,
};
