/**
 * The objects that the API answers with, as schemas. Each has the very members of the wire type that
 * the handlers are typed with: the compiler refuses one that is missing, spare or of another type.
 */
import { z } from 'zod';
import { batchStatuses } from '../../domain/batch';
import { uploadPurposes } from '../../domain/file';
import type { BatchWire } from '../batches/batch.wire';
import type { DeletedFileWire, FileWire } from '../files/file.wire';
import type { ListWire } from '../http/list.wire';
import type { ModelListWire, ModelWire } from '../models/model.wire';
import type { PartWire, UploadWire } from '../uploads/upload.wire';

const seconds = z.number().int().min(0);
const count = z.number().int().min(0);
const unixSeconds = (description: string): z.ZodType<number> =>
  seconds.meta({ description: `${description} Unix seconds.` });
const unixSecondsOrNull = (description: string): z.ZodType<number | null> =>
  seconds.nullable().meta({ description: `${description} Unix seconds.` });

const file = wireObject<FileWire>({
  id: z.string().meta({ examples: ['file-fe60c7ab0f9a83b1c2d94e8f7a6b5c4d'] }),
  object: z.literal('file'),
  bytes: count,
  created_at: unixSeconds('When it was uploaded or made.'),
  expires_at: unixSecondsOrNull('When it expires; null: it is kept until it is deleted.'),
  filename: z.string(),
  purpose: z.enum([...uploadPurposes, 'batch_output']),
  status: z.literal('processed').meta({ deprecated: true }),
  status_details: z.null().meta({ deprecated: true }),
}).meta({ description: 'A file.' });

const deletedFile = wireObject<DeletedFileWire>({
  id: z.string(),
  object: z.literal('file'),
  deleted: z.literal(true),
}).meta({ description: 'Tells that a file is deleted.' });

const upload = wireObject<UploadWire>({
  id: z.string().meta({ examples: ['upload_fe60c7ab0f9a83b1c2d94e8f7a6b5c4d'] }),
  object: z.literal('upload'),
  bytes: count.meta({ description: 'Size of the whole file, as announced.' }),
  created_at: unixSeconds('When it was created.'),
  expires_at: unixSeconds('No part is added from then on.'),
  filename: z.string(),
  purpose: z.enum(uploadPurposes),
  status: z.enum(['pending', 'completed', 'cancelled', 'expired']),
  file: file.nullable().meta({ description: 'The file, once the upload is completed.' }),
}).meta({ description: 'A file that arrives in parts.' });

const part = wireObject<PartWire>({
  id: z.string().meta({ examples: ['part_fe60c7ab0f9a83b1c2d94e8f7a6b5c4d'] }),
  object: z.literal('upload.part'),
  created_at: unixSeconds('When it arrived.'),
  upload_id: z.string(),
}).meta({ description: 'A part of an upload.' });

type BatchErrors = NonNullable<BatchWire['errors']>;

const batchErrors = wireObject<BatchErrors>({
  object: z.literal('list'),
  data: z.array(
    wireObject<BatchErrors['data'][number]>({
      code: z.string().meta({ examples: ['invalid_json_line'] }),
      message: z.string(),
      param: z.string().nullable(),
      line: z.number().int().min(1).nullable().meta({ description: 'Line of the input file.' }),
    }),
  ),
});

type Cost = NonNullable<BatchWire['longhaul_cost']>;
type Usage = NonNullable<BatchWire['usage']>;

const usage = wireObject<Usage>({
  input_tokens: count,
  input_tokens_details: wireObject<Usage['input_tokens_details']>({ cached_tokens: count }),
  output_tokens: count,
  output_tokens_details: wireObject<Usage['output_tokens_details']>({ reasoning_tokens: count }),
  total_tokens: count,
});

const batch = wireObject<BatchWire>({
  id: z.string().meta({ examples: ['batch_fe60c7ab0f9a83b1c2d94e8f7a6b5c4d'] }),
  object: z.literal('batch'),
  endpoint: z.string(),
  model: z.string().nullable().meta({ description: 'Null until the input is validated.' }),
  errors: batchErrors.nullable().meta({ description: 'Why the batch failed.' }),
  input_file_id: z.string(),
  completion_window: z.string(),
  status: z.enum(batchStatuses),
  output_file_id: z.string().nullable(),
  error_file_id: z.string().nullable(),
  created_at: unixSeconds('When it was created.'),
  in_progress_at: unixSecondsOrNull('When its input had been validated.'),
  expires_at: unixSeconds('When it expires unless it is done by then.'),
  finalizing_at: unixSecondsOrNull('When its last request had been answered.'),
  completed_at: unixSecondsOrNull('When it was completed.'),
  failed_at: unixSecondsOrNull('When it failed.'),
  expired_at: unixSecondsOrNull('When it had expired.'),
  cancelling_at: unixSecondsOrNull('When somebody cancelled it.'),
  cancelled_at: unixSecondsOrNull('When it was cancelled.'),
  request_counts: wireObject<BatchWire['request_counts']>({
    total: count,
    completed: count,
    failed: count,
  }).meta({ description: 'Counts while the batch runs, too; total is 0 until it is validated.' }),
  usage: usage.nullable().meta({ description: 'Tokens of all answers; null until the end.' }),
  metadata: z.record(z.string(), z.string()).nullable(),
  longhaul_cost: wireObject<Cost>({ currency: z.string(), amount: z.number().min(0) })
    .exactOptional()
    .meta({ description: 'What its tokens cost; only where its model has a price.' }),
}).meta({ description: 'A batch.' });

const model = wireObject<ModelWire>({
  id: z.string(),
  object: z.literal('model'),
  created: z.literal(0),
  owned_by: z.literal('longhaul'),
}).meta({ description: 'A model that an upstream serves.' });

/** Schemas of answers by their names in the document. */
export const answerSchemas = {
  File: file,
  FileList: listOf<FileWire>(file),
  DeletedFile: deletedFile,
  Upload: upload,
  UploadPart: part,
  Batch: batch,
  BatchList: listOf<BatchWire>(batch),
  Model: model,
  ModelList: wireObject<ModelListWire>({ object: z.literal('list'), data: z.array(model) }),
  Health: z.strictObject({ status: z.literal('ok') }),
} as const satisfies Readonly<Record<string, z.ZodType>>;

function listOf<T extends { readonly id: string }>(item: z.ZodType<T>): z.ZodType<ListWire<T>> {
  return wireObject<ListWire<T>>({
    object: z.literal('list'),
    data: z.array(item),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  });
}

function wireObject<T extends object>(
  shape: WireShape<T>,
): z.ZodObject<WireShape<T>, z.core.$strict> {
  return z.strictObject(shape);
}

/** A member that may be absent has a schema that says so. */
type WireShape<T extends object> = {
  readonly [K in keyof T]-?: T extends Record<K, T[K]>
    ? z.ZodType<T[K]>
    : z.ZodExactOptional<z.ZodType<NonNullable<T[K]>>>;
};
