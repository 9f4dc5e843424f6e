/** Counts the result lines of each request: exactly one is right. */
import { linesOf } from './input-file';
import type { ResultFiles } from './run-batch';

export interface ResultCheck {
  readonly answered: number;
  readonly failed: number;
  /** Requests with no line in either file. */
  readonly missing: number;
  /** Lines above the first of a request, in both files together. */
  readonly repeated: number;
  /** Lines whose custom ID is not in the input. */
  readonly unknown: number;
}

export async function checkResults(
  customIds: ReadonlySet<string>,
  files: ResultFiles,
): Promise<ResultCheck> {
  const seen = new Set<string>();
  const counts = { output: 0, errors: 0, repeated: 0, unknown: 0 };
  for (const kind of ['output', 'errors'] as const) {
    for await (const line of linesOf(files[kind])) {
      const { custom_id: customId } = JSON.parse(line) as { readonly custom_id: string };
      counts[kind] += 1;
      counts.unknown += customIds.has(customId) ? 0 : 1;
      counts.repeated += seen.has(customId) ? 1 : 0;
      seen.add(customId);
    }
  }
  const missing = [...customIds].filter((customId) => !seen.has(customId)).length;
  const { output: answered, errors: failed, repeated, unknown } = counts;
  return { answered, failed, missing, repeated, unknown };
}

export function isComplete({ missing, repeated, unknown }: ResultCheck): boolean {
  return missing === 0 && repeated === 0 && unknown === 0;
}
