/** Webhook endpoints and their secrets, and the logs of deliveries, on the object store. */
import type { DeliveryLog } from '../domain/delivery';
import { isWebhookEndpointId, type ProjectId, type WebhookEndpointId } from '../domain/ids';
import { batchKeys, webhookKey, webhookSecretKey, webhooksPrefix } from '../domain/object-keys';
import {
  webhookEndpointsMax,
  type NotificationTarget,
  type SigningSecret,
  type WebhookEndpoint,
} from '../domain/webhook';
import type { BatchRef } from '../domain/workflow-contract';
import { changeJson, getJson, putJson } from './json-object';
import type { ObjectStore } from './object-store';
import { SharedCalls } from './shared-calls';

export class WebhookStore {
  private readonly lists = new SharedCalls<ProjectId, WebhookEndpoint[]>();

  constructor(private readonly store: ObjectStore) {}

  async create(endpoint: WebhookEndpoint): Promise<void> {
    const key = webhookKey(endpoint.projectId, endpoint.id);
    await putJson(this.store, key, endpoint, { ifAbsent: true });
  }

  async get(
    projectId: ProjectId,
    endpointId: WebhookEndpointId,
  ): Promise<WebhookEndpoint | undefined> {
    return (await getJson<WebhookEndpoint>(this.store, webhookKey(projectId, endpointId)))?.value;
  }

  /**
   * All endpoints of a project as they are now, in the order of their ids: those who ask while they
   * are listed share the next list.
   */
  async list(projectId: ProjectId): Promise<WebhookEndpoint[]> {
    return await this.lists.next(projectId, async () => await this.readAll(projectId));
  }

  private async readAll(projectId: ProjectId): Promise<WebhookEndpoint[]> {
    const prefix = webhooksPrefix(projectId);
    const { items } = await this.store.list(prefix, { limit: webhookEndpointsMax });
    const ids = items.map(({ key }) => key.slice(prefix.length)).filter(isWebhookEndpointId);
    const endpoints = await Promise.all(ids.map(async (id) => await this.get(projectId, id)));
    return endpoints.flatMap((endpoint) => endpoint ?? []);
  }

  /** Changes an endpoint by compare-and-swap; `undefined` when there is none. */
  async update(
    projectId: ProjectId,
    endpointId: WebhookEndpointId,
    change: (endpoint: WebhookEndpoint) => WebhookEndpoint,
  ): Promise<WebhookEndpoint | undefined> {
    return await changeJson(
      this.store,
      webhookKey(projectId, endpointId),
      (endpoint: WebhookEndpoint | undefined) => endpoint && change(endpoint),
    );
  }

  async delete(projectId: ProjectId, endpointId: WebhookEndpointId): Promise<void> {
    await this.store.delete([webhookKey(projectId, endpointId)]);
  }

  /**
   * Changes the secret that signs what goes to the addresses of single batches, by
   * compare-and-swap; the first one is made by `make`.
   */
  async updateSecret(
    projectId: ProjectId,
    make: () => SigningSecret,
    change: (secret: SigningSecret) => SigningSecret = (secret) => secret,
  ): Promise<SigningSecret> {
    return await changeJson(
      this.store,
      webhookSecretKey(projectId),
      (secret: SigningSecret | undefined) => (secret === undefined ? make() : change(secret)),
    );
  }

  async getDelivery(
    { projectId, batchId }: BatchRef,
    target: NotificationTarget,
  ): Promise<DeliveryLog | undefined> {
    const key = batchKeys(projectId, batchId).delivery(target);
    return (await getJson<DeliveryLog>(this.store, key))?.value;
  }

  async listDeliveries({ projectId, batchId }: BatchRef): Promise<DeliveryLog[]> {
    const { items } = await this.store.list(batchKeys(projectId, batchId).deliveriesPrefix);
    const read = items.map(async ({ key }) => await getJson<DeliveryLog>(this.store, key));
    return (await Promise.all(read)).flatMap((stored) => stored?.value ?? []);
  }

  /** Changes the log of a delivery by compare-and-swap; it begins `pending`, without attempts. */
  async updateDelivery(
    { projectId, batchId }: BatchRef,
    target: NotificationTarget,
    change: (log: DeliveryLog) => DeliveryLog,
  ): Promise<DeliveryLog> {
    return await changeJson(
      this.store,
      batchKeys(projectId, batchId).delivery(target),
      (log: DeliveryLog | undefined) => change(log ?? { target, state: 'pending', attempts: [] }),
    );
  }
}
