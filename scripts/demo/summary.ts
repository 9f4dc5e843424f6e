import type { Batch } from 'openai/resources';
import { isComplete, type ResultCheck } from './check-results';
import type { ResultFiles } from './run-batch';

export interface Demonstrated {
  readonly batch: Batch;
  readonly check: ResultCheck;
  readonly files: ResultFiles;
  /** From the upload's start to the end of the batch. */
  readonly seconds: number;
  /** Requests in the input file. */
  readonly requests: number;
  readonly urls: Readonly<Record<string, string>>;
}

export function summaryOf({ batch, check, files, seconds, requests, urls }: Demonstrated): string {
  const { answered, failed } = check;
  const rows = {
    Batch: `${batch.id}, ${batch.status}`,
    Requests: `${requests}: ${answered} answered, ${failed} failed`,
    'Result lines': isComplete(check)
      ? 'exactly one for every request'
      : `WRONG: ${check.missing} missing, ${check.repeated} repeated, ${check.unknown} unknown`,
    Tokens: tokensOf(batch),
    Time: `${seconds.toFixed(1)} s, ${(requests / seconds).toFixed(0)} requests/s`,
    'Output file': files.output,
    'Error file': failed === 0 ? 'none, nothing failed' : files.errors,
    ...urls,
  };
  const lines = Object.entries(rows).map(([name, value]) => `  ${name.padEnd(16)} ${value}\n`);
  return `\n${lines.join('')}\n`;
}

function tokensOf({ usage }: Batch): string {
  return usage === undefined
    ? 'not told by the upstream'
    : `${usage.total_tokens}: ${usage.input_tokens} in, ${usage.output_tokens} out`;
}
