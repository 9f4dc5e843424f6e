/** Signatures of Standard Webhooks: HMAC-SHA256 over id, time and the bytes of the body. */
import { createHmac, randomBytes } from 'node:crypto';

const secretPrefix = 'whsec_';

/** `whsec_` and the base64 of 32 random bytes. */
export function makeSigningSecret(): string {
  return `${secretPrefix}${randomBytes(32).toString('base64')}`;
}

/** What is signed. */
export interface SignedMessage {
  readonly id: string;
  /** Unix seconds, of the attempt. */
  readonly timestamp: number;
  readonly body: Uint8Array;
}

/** The value of `webhook-signature`: one signature for each secret. */
export function webhookSignature(secrets: readonly string[], message: SignedMessage): string {
  return secrets.map((secret) => `v1,${sign(secret, message)}`).join(' ');
}

function sign(secret: string, { id, timestamp, body }: SignedMessage): string {
  const key = Buffer.from(secret.slice(secretPrefix.length), 'base64');
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64');
}
