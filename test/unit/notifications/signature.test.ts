import OpenAI from 'openai';
import { makeSigningSecret, webhookSignature } from '../../../src/notifications/signature';

// OpenAI's own test vector (openai-python, tests/lib/test_webhooks.py).
const vector = {
  secret: 'whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=',
  id: 'wh_685c059ae39c8190af8c71ed1022a24d',
  timestamp: 1_750_861_210,
  body: '{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, "type": "response.completed", "data": {"id": "resp_123"}}',
  signature: 'v1,gUAg4R2hWouRZqRQG4uJypNS8YK885G838+EHb4nKBY=',
};

it('is what the published test vector says', () => {
  const { secret, id, timestamp, body, signature } = vector;
  const message = { id, timestamp, body: Buffer.from(body) };
  expect(webhookSignature([secret], message)).toBe(signature);
});

describe('a secret of ours', () => {
  const body = Buffer.from('{"id":"evt_1","object":"event"}');
  const id = 'wh_1';
  const timestamp = Math.floor(Date.now() / 1000);
  const headersFor = (secrets: readonly string[]): Record<string, string> => ({
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': webhookSignature(secrets, { id, timestamp, body }),
  });
  const client = (webhookSecret: string): OpenAI => new OpenAI({ apiKey: 'none', webhookSecret });

  it('is accepted by the official client', async () => {
    const secret = makeSigningSecret();
    const event = await client(secret).webhooks.unwrap(body.toString(), headersFor([secret]));
    expect(event).toEqual(JSON.parse(body.toString()));
    expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
  });

  it('is accepted beside the one before it', async () => {
    const secrets = [makeSigningSecret(), makeSigningSecret()] as const;
    for (const secret of secrets) {
      await expect(
        client(secret).webhooks.unwrap(body.toString(), headersFor(secrets)),
      ).resolves.toBeDefined();
    }
    await expect(
      client(makeSigningSecret()).webhooks.unwrap(body.toString(), headersFor(secrets)),
    ).rejects.toThrow(OpenAI.InvalidWebhookSignatureError);
  });
});
