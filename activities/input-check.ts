/**
 * Checks the lines of an input file, one after another, and plans its shards on the way.
 *
 * Nothing here stops at the first bad line: the user is told of all of them. Most lines are certified
 * by the scanner and need nothing more. Any other goes through `JSON.parse`, or what is needed of it if
 * it is long, and `checkRequestLine`, which alone decide what is wrong with it; what needs more than one
 * line to be seen — duplicates, mixed models, too many lines — is found here.
 */
import { isUtf8 } from 'node:buffer';
import type { BatchError } from '../src/domain/batch';
import { batchErrors } from '../src/domain/error-codes';
import { batchErrorsMax, lineBytesMax, lineDepthMax } from '../src/domain/limits';
import type { ProjectLimits } from '../src/domain/project';
import {
  badLine,
  checkRequestLine,
  requiredBodyMembers,
  type CheckedLine,
  type LineProblem,
  type LineRules,
} from '../src/domain/request-line';
import { ShardPlanner, type ShardPlan } from '../src/domain/shard-plan';
import {
  LineScanner,
  type CertifiedLines,
  type HashKey,
  type LineVisitor,
  type UncertifiedLine,
} from '../src/scanner/line-scanner';
import { firstByte, outlineOf } from './line-outline';

/** What a file is checked against. */
export interface InputRules extends LineRules {
  readonly limits: Pick<ProjectLimits, 'batchLinesMax' | 'embeddingInputsMax'>;
  /** Whether the lines may name several models. */
  readonly mixedModels: 'refuse' | 'allow';
}

/** What is known of a file after its last line. */
export interface InputFindings {
  readonly errorCount: number;
  /** The first bad lines, as many as the batch record takes. */
  readonly firstErrors: readonly BatchError[];
  /** Of meaning when there are no errors. */
  readonly plan: ShardPlan;
}

export interface InputFacts {
  readonly fileBytes: number;
  readonly hashKey: HashKey;
}

export class InputCheck implements LineVisitor {
  private readonly scanner: LineScanner;
  private readonly planner = new ShardPlanner();
  private readonly firstErrors: BatchError[] = [];
  private errorCount = 0;
  /** What {@link add} has found so far. */
  private errors: BatchError[] = [];
  private model: string | undefined;
  private readonly acceptedModels = new Set<string>();
  private lineNumber = 0;
  private inputCount = 0;

  constructor(
    private readonly rules: InputRules,
    private readonly input: InputFacts,
  ) {
    this.scanner = new LineScanner(
      {
        url: rules.endpoint,
        requiredMember: requiredBodyMembers[rules.endpoint],
        lineBytesMax,
        linesMax: this.linesLeft(),
        ...input,
      },
      this,
    );
  }

  /** Reads on in the file; returns what is wrong with the lines that end here. */
  add(chunk: Uint8Array): BatchError[] {
    this.scanner.add(chunk);
    return this.takeErrors();
  }

  /** To be called after the last byte: what is wrong with the last line, and with the whole. */
  end(): BatchError[] {
    this.scanner.end();
    this.report(this.checkAsAWhole(), null);
    return this.takeErrors();
  }

  findings(): InputFindings {
    const { errorCount, firstErrors, planner, acceptedModels } = this;
    const { lineCount: total } = planner;
    const model = acceptedModels.size === 1 ? (this.model ?? null) : null;
    const plan = { total, model, shards: planner.plan(this.input.fileBytes) };
    return { errorCount, firstErrors, plan };
  }

  /** One more than there may be, to see that it is there; a file may have billions of lines. */
  linesLeft(): number {
    return this.rules.limits.batchLinesMax + 1 - this.planner.lineCount;
  }

  onBlankLines(count: number): void {
    this.lineNumber += count;
  }

  onCertifiedLines({ count, inputCount, offsetOf }: CertifiedLines): void {
    this.lineNumber += count;
    this.inputCount += inputCount;
    this.planner.addLines(count, offsetOf);
  }

  onUncertifiedLine(line: UncertifiedLine): void {
    this.lineNumber += 1;
    this.planner.addLine(line.offset);
    const checked = checkLine(line, this.rules);
    this.inputCount += checked.inputCount;
    const problems = [...checked.problems, ...this.checkAmongOthers(checked)];
    this.report(problems, this.lineNumber);
    if (problems.length === 0 && checked.model !== undefined) {
      this.accept(checked.model);
    }
  }

  private checkAmongOthers({ customId, model }: CheckedLine): LineProblem[] {
    const problems: LineProblem[] = [];
    if (customId !== undefined && !this.scanner.addCustomId(customId)) {
      problems.push(batchErrors.duplicateCustomId);
    }
    this.model ??= model;
    if (model !== undefined && model !== this.model && this.rules.mixedModels === 'refuse') {
      problems.push(batchErrors.mismatchedModel(model));
    }
    return problems;
  }

  private accept(model: string): void {
    if (!this.acceptedModels.has(model)) {
      this.acceptedModels.add(model);
      this.scanner.acceptModel(model);
    }
  }

  private checkAsAWhole(): LineProblem[] {
    const { batchLinesMax, embeddingInputsMax } = this.rules.limits;
    if (this.planner.lineCount === 0) {
      return [batchErrors.emptyFile];
    }
    if (this.planner.lineCount > batchLinesMax) {
      return [batchErrors.tooManyTasks(batchLinesMax)];
    }
    const isEmbeddings = this.rules.endpoint === '/v1/embeddings';
    return isEmbeddings && embeddingInputsMax !== null && this.inputCount > embeddingInputsMax
      ? [batchErrors.tooManyEmbeddingInputs(embeddingInputsMax)]
      : [];
  }

  private report(problems: readonly LineProblem[], line: number | null): void {
    const errors = problems.map((problem) => ({ ...problem, line }));
    this.errorCount += errors.length;
    this.firstErrors.push(...errors.slice(0, batchErrorsMax - this.firstErrors.length));
    this.errors.push(...errors);
  }

  private takeErrors(): BatchError[] {
    const { errors } = this;
    this.errors = [];
    return errors;
  }
}

/** The verdict on a line as text. `JSON.parse` meets objects of bounded depth in strict UTF-8 only. */
function checkLine(line: UncertifiedLine, rules: LineRules): CheckedLine {
  if (line.isTooLong) {
    return badLine(batchErrors.lineTooLong(lineBytesMax));
  }
  if (isNestedTooDeeply(line.bytes)) {
    return badLine(batchErrors.nestedTooDeeply(lineDepthMax));
  }
  const isObject = firstByte(line.bytes, 0) === openBrace && isUtf8(line.bytes);
  return checkRequestLine(isObject ? parsed(line, rules) : undefined, rules);
}

/** Of a long line the outline only. `undefined` when it is not JSON. */
function parsed(line: UncertifiedLine, { endpoint }: LineRules): unknown {
  if (line.bytes.length > parsedBytesMax) {
    return line.isJson() ? outlineOf(line, requiredBodyMembers[endpoint]) : undefined;
  }
  try {
    return JSON.parse(line.bytes.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}

/** Longer lines may take `JSON.parse` more than 20 ms, and twenty times their size. */
const parsedBytesMax = 262_144;

const openBrace = 0x7b;

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
