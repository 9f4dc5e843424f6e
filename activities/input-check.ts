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
import { batchErrorsMax, lineBytesMax, lineDepthMax } from '../src/domain/limits';
import type { ProjectLimits } from '../src/domain/project';
import {
  badLine,
  checkRequestLine,
  type CheckedLine,
  type LineProblem,
  type LineRules,
} from '../src/domain/request-line';
import { ShardPlanner, type ShardPlan } from '../src/domain/shard-plan';
import { isBlank, type Line } from './line-reader';

/** What a file is checked against. */
export interface InputRules extends LineRules {
  readonly limits: Pick<ProjectLimits, 'batchLinesMax' | 'embeddingInputsMax'>;
  /** Whether the lines may name several models. */
  readonly mixedModels: 'refuse' | 'allow';
}

export class InputCheck {
  /** The first bad lines, as many as the batch record takes. */
  readonly firstErrors: BatchError[] = [];
  errorCount = 0;
  private readonly customIds: CustomIdSet;
  private readonly planner = new ShardPlanner();
  private model: string | undefined;
  private hasSeveralModels = false;
  private lineNumber = 0;
  private inputCount = 0;

  constructor(
    private readonly rules: InputRules,
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
    const { batchLinesMax, embeddingInputsMax } = this.rules.limits;
    if (lineCount === 0) {
      return this.report([batchErrors.emptyFile], null);
    }
    if (lineCount > batchLinesMax) {
      return this.report([batchErrors.tooManyTasks(batchLinesMax)], null);
    }
    const isEmbeddings = this.rules.endpoint === '/v1/embeddings';
    return isEmbeddings && embeddingInputsMax !== null && this.inputCount > embeddingInputsMax
      ? this.report([batchErrors.tooManyEmbeddingInputs(embeddingInputsMax)], null)
      : [];
  }

  /** The plan of a file without errors. */
  plan(fileBytes: number): ShardPlan {
    return {
      total: this.planner.lineCount,
      model: this.hasSeveralModels ? null : (this.model ?? null),
      shards: this.planner.plan(fileBytes),
    };
  }

  private addLine(given: Line): BatchError[] {
    const line = this.lineNumber === 0 ? withoutByteOrderMark(given) : given;
    this.lineNumber += 1;
    // Beyond the limit nothing is looked at: a file of ten gigabytes may have billions of lines.
    if (isBlank(line) || this.planner.lineCount > this.rules.limits.batchLinesMax) {
      return [];
    }
    this.planner.addLine(line.offset);
    const checked = checkLine(line, this.rules);
    this.inputCount += checked.inputCount;
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
      this.hasSeveralModels ||= model !== this.model;
      if (model !== this.model && this.rules.mixedModels === 'refuse') {
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

/** Some editors put one before the first line. The plan starts behind it, so that no slice meets it. */
function withoutByteOrderMark(line: Line): Line {
  return line.bytes.subarray(0, 3).equals(byteOrderMark)
    ? { ...line, bytes: line.bytes.subarray(3), offset: line.offset + 3 }
    : line;
}

const byteOrderMark = Buffer.of(0xef, 0xbb, 0xbf);

/** The verdict on a line as text. `JSON.parse` meets objects of bounded depth in strict UTF-8 only. */
function checkLine({ bytes, isTooLong }: Line, rules: LineRules): CheckedLine {
  if (isTooLong) {
    return badLine(batchErrors.lineTooLong(lineBytesMax));
  }
  if (isNestedTooDeeply(bytes)) {
    return badLine(batchErrors.nestedTooDeeply(lineDepthMax));
  }
  return checkRequestLine(parsed(bytes), rules);
}

/** `undefined` when the line is not an object of JSON in strict UTF-8. */
function parsed(bytes: Buffer): unknown {
  try {
    return isUtf8(bytes) ? (JSON.parse(bytes.toString('utf8')) as unknown) : undefined;
  } catch {
    return undefined;
  }
}

const quote = 0x22;
const backslash = 0x5c;

/** Counts brackets outside strings; what it says of a line that is not JSON means nothing. */
function isNestedTooDeeply(bytes: Buffer): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (inString) {
      at += byte === backslash ? 1 : 0;
      inString = byte !== quote;
    } else if (byte === quote) {
      inString = true;
    } else if (opens(byte)) {
      depth += 1;
      if (depth > lineDepthMax) {
        return true;
      }
    } else if (closes(byte)) {
      depth -= 1;
    }
  }
  return false;
}

/** `{` and `[` differ in one bit. */
function opens(byte: number): boolean {
  return (byte | 0x20) === 0x7b;
}

function closes(byte: number): boolean {
  return (byte | 0x20) === 0x7d;
}
