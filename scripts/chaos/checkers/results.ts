/** Checkers of the result files. */
import type { PlannedLine } from '../batch-input';
import { finalBatch, type BatchObservation, type Observation } from '../observation';
import { plannedAnswer } from '../planned-answer';
import { linesOf, readableLines, type ParsedLine } from './result-lines';

/** Every `custom_id` is on exactly one line of the two files. */
export function exactlyOnce(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    if (hasNoFiles(batch)) {
      return batch.output === undefined && batch.errors === undefined
        ? []
        : ['has files though its input was not validated'];
    }
    const { output, errors } = readableLines(batch);
    const times = new Map(batch.input.lines.map(({ customId }) => [customId, 0]));
    const unknown: string[] = [];
    for (const { customId } of [...output, ...errors]) {
      const count = times.get(customId);
      if (count === undefined) {
        unknown.push(customId);
      } else {
        times.set(customId, count + 1);
      }
    }
    const wrong = [...times].filter(([, count]) => count !== 1);
    return [
      ...listed(
        'are not in the files exactly once',
        wrong.map(([id, count]) => `${id} × ${count}`),
      ),
      ...listed('are not in the input', unknown),
    ];
  });
}

/** Result files hold nothing but whole result lines. */
export function linesWellFormed(seen: Observation): string[] {
  return perBatch(seen, ({ output, errors }) =>
    listed(
      'are no result lines',
      [...linesOf(output), ...linesOf(errors)].filter((line) => typeof line === 'string'),
    ),
  );
}

/** Each line is in the file, and of the kind, that its request and the end of its batch ask for. */
export function rightFile(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const lineOf = plannedLines(batch);
    const status = finalBatch(batch)?.status;
    const { output, errors } = readableLines(batch);
    return [
      ...listed(
        'are in the output file',
        output.filter((line) => !mayBeInOutput(line, lineOf.get(line.customId))).map(describe),
      ),
      ...listed(
        'are in the error file',
        errors
          .filter((line) => !mayBeInErrors(line, lineOf.get(line.customId), status))
          .map(describe),
      ),
    ];
  });
}

/** The custom ID is spelled as in the input, and the answer is the upstream's, byte for byte. */
export function bytesExact(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const lineOf = plannedLines(batch);
    const { output, errors } = readableLines(batch);
    const isExact = (line: ParsedLine): boolean => {
      const planned = lineOf.get(line.customId);
      return (
        planned === undefined ||
        (line.customIdText === planned.customIdText &&
          (line.response?.status !== 200 || line.response.bodyText === answerTo(planned.body)))
      );
    };
    return listed(
      'have other bytes than their requests and answers',
      [...output, ...errors].filter((line) => !isExact(line)).map(describe),
    );
  });
}

/** The lines of both files are in the order of the input. */
export function inputOrder(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const order = new Map(batch.input.lines.map(({ customId }, index) => [customId, index]));
    const { output, errors } = readableLines(batch);
    return [output, errors].flatMap((lines) =>
      listed(
        'stand before a line that they follow in the input',
        lines
          .filter((line, index) => {
            const next = lines[index + 1];
            return (
              next !== undefined &&
              (order.get(line.customId) ?? 0) > (order.get(next.customId) ?? Infinity)
            );
          })
          .map(describe),
      ),
    );
  });
}

/** The final counts are those of the files' lines. */
export function countsMatchFiles(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const { output, errors } = readableLines(batch);
    const wanted = {
      total: hasNoFiles(batch) ? 0 : batch.input.lines.length,
      completed: output.length,
      failed: errors.filter(({ errorCode }) => !isUnexecuted(errorCode)).length,
    };
    const counts = finalBatch(batch)?.request_counts;
    const isRight =
      counts?.total === wanted.total &&
      counts.completed === wanted.completed &&
      counts.failed === wanted.failed;
    return isRight ? [] : [`says ${JSON.stringify(counts)}, its files ${JSON.stringify(wanted)}`];
  });
}

/** The batch's usage is what its answers say, each counted once. */
export function usageAddsUp(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const { usage } = finalBatch(batch) ?? {};
    const { output } = readableLines(batch);
    const wanted = output.reduce(
      (sum, { response }) => {
        const { prompt_tokens: input, completion_tokens } = usageOf(response?.bodyText);
        return { input: sum.input + input, output: sum.output + completion_tokens };
      },
      { input: 0, output: 0 },
    );
    const [said, counted] = [
      [usage?.input_tokens ?? 0, usage?.output_tokens ?? 0].join(),
      [wanted.input, wanted.output].join(),
    ];
    return said === counted ? [] : [`says it used ${said} tokens, its answers ${counted}`];
  });
}

function usageOf(bodyText = ''): {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
} {
  const { usage } = JSON.parse(bodyText) as { readonly usage: ReturnType<typeof usageOf> };
  return usage;
}

/** File objects have the purpose and the size of what is downloaded, and are not empty. */
export function fileObjects(seen: Observation): string[] {
  return perBatch(seen, ({ output, errors }) =>
    [output, errors].flatMap((file) =>
      file === undefined ||
      (file.file.bytes === file.content.length &&
        file.content.length > 0 &&
        (file.file.purpose as string) === 'batch_output')
        ? []
        : [
            `${file.file.id}: ${file.file.purpose}, ${file.file.bytes} of ${file.content.length} bytes`,
          ],
    ),
  );
}

/** An invalid input fails its batch, and every bad line is named, and no other. */
export function badLinesReported(seen: Observation): string[] {
  return perBatch(seen, (batch) => {
    const final = finalBatch(batch);
    if (final?.status !== 'failed') {
      return [];
    }
    const named = (final.errors?.data ?? []).map(({ line }) => line);
    const unique = [...new Set(named)].join();
    const wanted = batch.input.badLineNumbers.join();
    return unique === wanted ? [] : [`names the lines ${unique}, wrong are ${wanted}`];
  });
}

/** Its input was not found to be valid, so there is nothing to say about its requests. */
function hasNoFiles(batch: BatchObservation): boolean {
  const final = finalBatch(batch);
  // A cancel may come between the end of the validation and the record of it.
  const wasValidated = typeof final?.in_progress_at === 'number';
  return final?.status === 'failed' || (!wasValidated && final?.request_counts?.total === 0);
}

const unexecutedCodes = ['batch_cancelled', 'batch_expired'] as const;

function isUnexecuted(code: string | undefined): boolean {
  return unexecutedCodes.some((known) => known === code);
}

const failureCodes: readonly (string | undefined)[] = [
  'request_timeout',
  'upstream_unavailable',
  'invalid_answer',
  'answer_too_large',
];

function mayBeInOutput(line: ParsedLine, planned: PlannedLine | undefined): boolean {
  return planned?.fate.kind === 'answered' && line.response?.status === 200;
}

function mayBeInErrors(
  line: ParsedLine,
  planned: PlannedLine | undefined,
  batchStatus: string | undefined,
): boolean {
  if (isUnexecuted(line.errorCode)) {
    return line.errorCode === `batch_${batchStatus ?? ''}`;
  }
  const status = line.response?.status ?? 0;
  if (planned?.fate.kind === 'refused') {
    return status === planned.fate.status;
  }
  return (
    planned?.fate.kind === 'poisoned' && (failureCodes.includes(line.errorCode) || status >= 500)
  );
}

/** Line breaks of an answer become spaces; everything else stays as it is. */
function answerTo(bytes: Buffer): string {
  return plannedAnswer(bytes).replaceAll('\n', ' ');
}

function plannedLines(batch: BatchObservation): ReadonlyMap<string, PlannedLine> {
  return new Map(batch.input.lines.map((line) => [line.customId, line]));
}

function perBatch(seen: Observation, check: (batch: BatchObservation) => string[]): string[] {
  return seen.batches.flatMap((batch) =>
    check(batch).map((problem) => `batch ${batch.plan.name} ${problem}`),
  );
}

const shownMax = 3;

function listed(what: string, items: readonly string[]): string[] {
  const shown = items.slice(0, shownMax).join(', ');
  return items.length === 0 ? [] : [`${items.length} lines ${what}: ${shown}`];
}

function describe({ customId, response, errorCode }: ParsedLine): string {
  return `${customId.slice(-24)} (${errorCode ?? String(response?.status)})`;
}
