import type { FilePurpose } from '../../domain/file';
import { ApiError } from '../http/api-error';

export function isNamedAsJsonLines(filename: string): boolean {
  return filename.toLowerCase().endsWith('.jsonl');
}

/**
 * Refuses what cannot be the input of a batch. Clients name bytes `upload` or `unknown_file`: a name
 * without the extension is no reason to refuse a file that looks right.
 */
export function assertBatchFormat(
  purpose: FilePurpose,
  file: { readonly filename: string; readonly looksLikeJsonLines: boolean },
): void {
  if (purpose === 'batch' && !isNamedAsJsonLines(file.filename) && !file.looksLikeJsonLines) {
    throw new ApiError('invalidRequest', 'Invalid file format for Batch API. Must be .jsonl');
  }
}
