/** A webhook of the recorder's own: refuses what it is told first, and acknowledges it then. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defaultProjectId, makeWebhookEndpointId } from '../../src/domain/ids';
import { makeSigningSecret } from '../../src/notifications/signature';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import { WebhookStore } from '../../src/storage/webhook-store';
import { loopback } from '../local/ports';
import type { Stack } from '../local/stack';

/** Networks that the worker has to allow. */
export const webhookNetworks = `${loopback}/32`;

/** @param work is given the id of the webhook, which is there until it ends. */
export async function withWebhook(
  stack: Pick<Stack, 'store'>,
  work: (webhookId: string) => Promise<void>,
): Promise<void> {
  const refused = new Set<unknown>();
  const server = createServer((request, response) => {
    request.resume();
    const id = request.headers['webhook-id'];
    response.writeHead(refused.has(id) ? 200 : 500).end();
    refused.add(id);
  });
  server.listen(0, loopback);
  await once(server, 'listening');
  const store = createMinioObjectStore(stack.store);
  try {
    const id = makeWebhookEndpointId('0'.repeat(16));
    await new WebhookStore(store).create({
      id,
      projectId: defaultProjectId,
      createdAt: 0,
      url: `http://${loopback}:${(server.address() as AddressInfo).port}/`,
      events: null,
      isEnabled: true,
      secret: { current: makeSigningSecret() },
    });
    await work(id);
  } finally {
    store.close();
    server.close();
  }
}
