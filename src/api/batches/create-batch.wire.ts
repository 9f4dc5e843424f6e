/** The body of a create. Fields that we do not know are ignored: clients of other services send some. */
import { z } from 'zod';
import type { Endpoint } from '../../domain/endpoints';
import {
  expiresAfterSecondsDefault,
  metadataKeyLengthMax,
  metadataKeysMax,
  metadataValueLengthMax,
  webhookUrlLengthMax,
} from '../../domain/limits';
import { ApiError } from '../http/api-error';
import { AddressGuard } from '../../notifications/address-guard';
import { outputExpiresAfterSchema } from '../http/expires-after.wire';
import { parseRequest, withPropertiesMax } from '../http/parse-request';

export interface BatchRequest {
  /** Whatever the client wrote: a file that does not exist fails the batch, not the request. */
  readonly inputFileId: string;
  readonly endpoint: Endpoint;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterSeconds: number;
  readonly webhookUrl?: string;
}

/** What this deployment accepts; each list has at least one member. */
export interface BatchRequestRules {
  readonly endpoints: readonly Endpoint[];
  readonly completionWindows: readonly string[];
  /** CIDRs of networks of the operator's, in which `webhook_url` may be private and plain http. */
  readonly webhookAllowedNetworks: readonly string[];
}

/** Longer than any id; it travels through the engine. */
const fileIdLengthMax = 128;

/** The one name that objects of JavaScript, the clients' ones too, do not take as any other. */
const refusedMetadataKey = '__proto__';

const metadataKeySchema = z
  .string()
  .max(metadataKeyLengthMax)
  .meta({ not: { const: refusedMetadataKey } });

const metadataSchema = withPropertiesMax(
  z.record(metadataKeySchema, z.string().max(metadataValueLengthMax)),
  metadataKeysMax,
);

export function parseBatchRequest(body: unknown, rules: BatchRequestRules): BatchRequest {
  refusePrototype(body);
  const parsed = parseRequest(batchRequestSchema(rules), body);
  const webhookUrl = parsed.webhook_url ?? undefined;
  if (webhookUrl !== undefined) {
    assertWebhookUrl(webhookUrl, rules);
  }
  return {
    inputFileId: parsed.input_file_id,
    endpoint: parsed.endpoint,
    completionWindow: parsed.completion_window,
    metadata: parsed.metadata ?? null,
    outputExpiresAfterSeconds: parsed.output_expires_after?.seconds ?? expiresAfterSecondsDefault,
    ...(webhookUrl !== undefined && { webhookUrl }),
  };
}

interface BatchRequestWire {
  readonly input_file_id: string;
  readonly endpoint: Endpoint;
  readonly completion_window: string;
  readonly metadata?: Readonly<Record<string, string>> | null | undefined;
  readonly output_expires_after?: z.output<typeof outputExpiresAfterSchema> | null | undefined;
  readonly webhook_url?: string | null | undefined;
}

/** What `metadata` and `webhook_url` have to be besides is checked by {@link parseBatchRequest}. */
export function batchRequestSchema({
  endpoints,
  completionWindows,
  webhookAllowedNetworks,
}: BatchRequestRules): z.ZodType<BatchRequestWire> {
  const pattern = webhookAllowedNetworks.length > 0 ? '^https?://' : '^https://';
  return z.object({
    input_file_id: z.string().min(1).max(fileIdLengthMax),
    endpoint: z.enum(endpoints),
    completion_window: z.enum(completionWindows),
    metadata: metadataSchema.nullish(),
    output_expires_after: outputExpiresAfterSchema.nullish(),
    webhook_url: z.string().max(webhookUrlLengthMax).meta({ format: 'uri', pattern }).nullish(),
  });
}

/** A parsed record has lost the key. */
function refusePrototype(body: unknown): void {
  const metadata =
    typeof body === 'object' && body !== null && 'metadata' in body ? body.metadata : undefined;
  if (
    typeof metadata === 'object' &&
    metadata !== null &&
    Object.hasOwn(metadata, refusedMetadataKey)
  ) {
    throw new ApiError(
      'invalidValue',
      `Invalid property name in 'metadata': '${refusedMetadataKey}' cannot be used. Please choose another name.`,
      { param: 'metadata' },
    );
  }
}

/** What a name leads to is looked at when something is delivered there. */
function assertWebhookUrl(text: string, { webhookAllowedNetworks }: BatchRequestRules): void {
  const problem = new AddressGuard(webhookAllowedNetworks).problemOf(text);
  if (problem !== undefined) {
    throw new ApiError('invalidValue', `Invalid 'webhook_url': ${problem}.`, {
      param: 'webhook_url',
    });
  }
}
