import type { FileRecord } from '../../domain/file';

/** The File object (OpenAI Files reference). */
export interface FileWire {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly filename: string;
  readonly purpose: FileRecord['purpose'];
  /** Deprecated but required; clients that wait for it would otherwise wait for half an hour. */
  readonly status: 'processed';
  readonly status_details: null;
}

export function toFileWire(file: FileRecord): FileWire {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: file.createdAt,
    expires_at: file.expiresAt,
    filename: file.filename,
    purpose: file.purpose,
    status: 'processed',
    status_details: null,
  };
}

export interface DeletedFileWire {
  readonly id: string;
  readonly object: 'file';
  readonly deleted: true;
}
