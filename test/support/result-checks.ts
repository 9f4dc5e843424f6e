import type OpenAI from 'openai';
import { resultLines, type Batch, type ResultLine } from '../../scripts/local/batches';

export interface Results {
  readonly output: readonly ResultLine[];
  readonly errors: readonly ResultLine[];
}

/**
 * Downloads both files of a batch and checks what always holds: each request of the input has exactly
 * one line in exactly one of them, in the order of the input, and the counts agree.
 */
export async function checkedResults(
  client: OpenAI,
  batch: Batch,
  requestLines: readonly string[],
): Promise<Results> {
  const [output, errors] = await Promise.all([
    resultLines(client, batch.output_file_id),
    resultLines(client, batch.error_file_id),
  ]);
  const customIds = requestLines.map((line) => (JSON.parse(line) as ResultLine).custom_id);
  const inOutput = new Set(output.map((line) => line.custom_id));
  expect(output.map((line) => line.custom_id)).toEqual(customIds.filter((id) => inOutput.has(id)));
  expect(errors.map((line) => line.custom_id)).toEqual(customIds.filter((id) => !inOutput.has(id)));
  expect(new Set([...output, ...errors].map((line) => line.id)).size).toBe(customIds.length);
  expect(batch.request_counts).toEqual({
    total: customIds.length,
    completed: output.length,
    failed: errors.filter((line) => !wasNotExecuted(line)).length,
  });
  return { output, errors };
}

function wasNotExecuted(line: ResultLine): boolean {
  return ['batch_cancelled', 'batch_expired', 'batch_failed'].includes(line.error?.code ?? '');
}
