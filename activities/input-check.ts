/**
 * Checks the lines of an input file, one after another, and plans its shards on the way.
 *
 * Nothing here stops at the first bad line: the user is told of all of them. What needs more than one
 * line to be seen — duplicates, mixed models, too many lines — is found here; what a line shows by
 * itself, by `checkRequestLine`.
 */
import { isUtf8 } from 'node:buffer';
import type { BatchError } from '../src/domain/batch';
import { CustomIdSet, type HashKey } from '../src/domain/custom-id-set';
import { batchErrors } from '../src/domain/error-codes';
import { batchErrorsMax, batchLinesMax, lineBytesMax } from '../src/domain/limits';
import {
  checkRequestLine,
  type CheckedLine,
  type LineProblem,
  type LineRules,
} from '../src/domain/request-line';
import { ShardPlanner, type ShardPlan } from '../src/domain/shard-plan';
import { isBlank, type Line } from './line-reader';

export class InputCheck {
  /** The first bad lines, as many as the batch record takes. */
  readonly firstErrors: BatchError[] = [];
  errorCount = 0;
  private readonly customIds: CustomIdSet;
  private readonly planner = new ShardPlanner();
  private model: string | undefined;
  private lineNumber = 0;

  constructor(
    private readonly rules: LineRules,
    hashKey: HashKey,
  ) {
    this.customIds = new CustomIdSet(hashKey);
  }

  /** Checks the next lines of the file; returns what is wrong with them. */
  addLines(lines: readonly Line[]): BatchError[] {
    return lines.flatMap((line) => this.addLine(line));
  }

  /** To be called after the last line: what is wrong with the file as a whole. */
  end(): BatchError[] {
    const { lineCount } = this.planner;
    if (lineCount === 0 && this.errorCount === 0) {
      return this.report([batchErrors.emptyFile], null);
    }
    return lineCount > batchLinesMax
      ? this.report([batchErrors.tooManyTasks(batchLinesMax)], null)
      : [];
  }

  /** The plan of a file without errors. */
  plan(fileBytes: number): ShardPlan {
    return {
      total: this.planner.lineCount,
      model: this.model ?? '',
      shards: this.planner.plan(fileBytes),
    };
  }

  private addLine(line: Line): BatchError[] {
    this.lineNumber += 1;
    // Beyond the limit nothing is looked at: a file of ten gigabytes may have billions of lines.
    if (isBlank(line) || this.planner.lineCount > batchLinesMax) {
      return [];
    }
    this.planner.addLine(line.offset);
    if (line.isTooLong) {
      return this.report([batchErrors.lineTooLong(lineBytesMax)], this.lineNumber);
    }
    const checked = checkRequestLine(parsed(line.bytes), this.rules);
    const problems = [...checked.problems, ...this.checkAmongOthers(checked)];
    return this.report(problems, this.lineNumber);
  }

  private checkAmongOthers({ customId, model }: CheckedLine): LineProblem[] {
    const problems: LineProblem[] = [];
    if (customId !== undefined && !this.customIds.add(customId)) {
      problems.push(batchErrors.duplicateCustomId);
    }
    if (model !== undefined) {
      this.model ??= model;
      if (model !== this.model) {
        problems.push(batchErrors.mismatchedModel(model));
      }
    }
    return problems;
  }

  private report(problems: readonly LineProblem[], line: number | null): BatchError[] {
    const errors = problems.map((problem) => ({ ...problem, line }));
    this.errorCount += errors.length;
    this.firstErrors.push(...errors.slice(0, batchErrorsMax - this.firstErrors.length));
    return errors;
  }
}

/** `undefined` when the line is not JSON in strict UTF-8. */
function parsed(bytes: Buffer): unknown {
  try {
    return isUtf8(bytes) ? (JSON.parse(bytes.toString('utf8')) as unknown) : undefined;
  } catch {
    return undefined;
  }
}
