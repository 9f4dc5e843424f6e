import type { FileId, ProjectId } from './ids';

/** Purposes that an upload may name (OpenAI Files reference, `FilePurpose`). */
export const uploadPurposes = [
  'fine-tune',
  'assistants',
  'batch',
  'user_data',
  'vision',
  'evals',
] as const;
export type UploadPurpose = (typeof uploadPurposes)[number];

/** Results of a batch, output and error file alike, have `batch_output`. */
export type FilePurpose = UploadPurpose | 'batch_output';

/** A file as it is stored beside its content. Times are Unix seconds. */
export interface FileRecord {
  readonly id: FileId;
  readonly projectId: ProjectId;
  readonly bytes: number;
  readonly createdAt: number;
  /** Null: kept until it is deleted. */
  readonly expiresAt: number | null;
  /** As the client sent it; never part of a key. */
  readonly filename: string;
  readonly purpose: FilePurpose;
}

export function isExpired(file: FileRecord, nowSeconds: number): boolean {
  return file.expiresAt !== null && file.expiresAt <= nowSeconds;
}
