/** The body of a create. Fields that we do not know are ignored: clients of other services send some. */
import { z } from 'zod';
import type { Endpoint } from '../../domain/endpoints';
import { endpoints } from '../../domain/endpoints';
import {
  expiresAfterSecondsDefault,
  metadataKeyLengthMax,
  metadataKeysMax,
  metadataValueLengthMax,
} from '../../domain/limits';
import { expiresAfterSchema } from '../http/expires-after.wire';
import { parseRequest, withPropertiesMax } from '../http/parse-request';

export interface BatchRequest {
  /** Whatever the client wrote: a file that does not exist fails the batch, not the request. */
  readonly inputFileId: string;
  readonly endpoint: Endpoint;
  readonly completionWindow: string;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterSeconds: number;
}

/** Longer than any id; it travels through the engine. */
const fileIdLengthMax = 128;

const metadataSchema = withPropertiesMax(
  z.record(z.string().max(metadataKeyLengthMax), z.string().max(metadataValueLengthMax)),
  metadataKeysMax,
);

export function parseBatchRequest(
  body: unknown,
  completionWindows: readonly string[],
): BatchRequest {
  const schema = z.object({
    input_file_id: z.string().min(1).max(fileIdLengthMax),
    endpoint: z.enum(endpoints),
    completion_window: z.enum(completionWindows),
    metadata: metadataSchema.nullish(),
    output_expires_after: expiresAfterSchema.nullish(),
  });
  const parsed = parseRequest(schema, body);
  return {
    inputFileId: parsed.input_file_id,
    endpoint: parsed.endpoint,
    completionWindow: parsed.completion_window,
    metadata: parsed.metadata ?? null,
    outputExpiresAfterSeconds: parsed.output_expires_after?.seconds ?? expiresAfterSecondsDefault,
  };
}
