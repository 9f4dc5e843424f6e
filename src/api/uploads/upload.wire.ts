/** Uploads and parts as clients see them, and what clients send about them. */
import { z } from 'zod';
import { uploadPurposes, type UploadPurpose } from '../../domain/file';
import { isPartId, type PartId } from '../../domain/ids';
import { uploadPartsMax } from '../../domain/limits';
import { fileOf, type UploadRecord, type UploadStatus } from '../../domain/upload';
import { toFileWire, type FileWire } from '../files/file.wire';
import { filenameLengthMax } from '../files/filename';
import { ApiError, quoted } from '../http/api-error';
import { expiresAfterSchema } from '../http/expires-after.wire';
import { parseRequest } from '../http/parse-request';

/** The Upload object (OpenAI Uploads reference). */
export interface UploadWire {
  readonly id: string;
  readonly object: 'upload';
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number;
  readonly filename: string;
  readonly purpose: UploadPurpose;
  readonly status: Exclude<UploadStatus, 'completing'>;
  /** Null until the upload is completed. */
  readonly file: FileWire | null;
}

export function toUploadWire(upload: UploadRecord): UploadWire {
  const { status, completion } = upload;
  return {
    id: upload.id,
    object: 'upload',
    bytes: upload.bytes,
    created_at: upload.createdAt,
    expires_at: upload.expiresAt,
    filename: upload.filename,
    purpose: upload.purpose,
    status: status === 'completing' ? 'pending' : status,
    file:
      status === 'completed' && completion !== null ? toFileWire(fileOf(upload, completion)) : null,
  };
}

/** A part of an upload (OpenAI Uploads reference). */
export interface PartWire {
  readonly id: string;
  readonly object: 'upload.part';
  readonly created_at: number;
  readonly upload_id: string;
}

export interface UploadRequest {
  readonly filename: string;
  readonly purpose: UploadPurpose;
  readonly bytes: number;
  readonly expiresAfterSeconds: number | undefined;
}

const mimeTypeLengthMax = 255;

export const uploadRequestSchema = z.object({
  filename: z.string().min(1).max(filenameLengthMax),
  purpose: z.enum(uploadPurposes),
  bytes: z.number().int().min(1),
  // Required of clients, as everywhere else; what a file is, its purpose says.
  mime_type: z.string().max(mimeTypeLengthMax),
  expires_after: expiresAfterSchema.nullish(),
});

export function parseUploadRequest(body: unknown): UploadRequest {
  const { filename, purpose, bytes, expires_after } = parseRequest(uploadRequestSchema, body);
  return { filename, purpose, bytes, expiresAfterSeconds: expires_after?.seconds };
}

export interface CompleteRequest {
  /** At least one, none twice. */
  readonly partIds: readonly PartId[];
  /** In lower-case hex; of the whole file. */
  readonly md5: string | undefined;
}

export const completeRequestSchema = z.object({
  part_ids: z.array(z.string()).min(1).max(uploadPartsMax),
  md5: z.string().meta({ pattern: '^[0-9a-fA-F]{32}$' }).nullish(),
});

export function parseCompleteRequest(body: unknown): CompleteRequest {
  const { part_ids, md5 } = parseRequest(completeRequestSchema, body);
  const partIds = new Set<PartId>();
  for (const id of part_ids) {
    if (!isPartId(id)) {
      throw noSuchPart(id);
    }
    if (partIds.has(id)) {
      throw new ApiError('invalidValue', `Invalid 'part_ids': the part ${id} is named twice.`, {
        param: 'part_ids',
      });
    }
    partIds.add(id);
  }
  return { partIds: [...partIds], md5: typeof md5 === 'string' ? parseMd5(md5) : undefined };
}

export function noSuchPart(partId: string): ApiError {
  return new ApiError(
    'invalidValue',
    `Invalid 'part_ids': the upload has no part ${quoted(partId)}.`,
    { param: 'part_ids' },
  );
}

function parseMd5(text: string): string {
  if (!/^[0-9a-f]{32}$/i.test(text)) {
    throw new ApiError('invalidValue', "Invalid 'md5': expected 32 hexadecimal digits.", {
      param: 'md5',
    });
  }
  return text.toLowerCase();
}
