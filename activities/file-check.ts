/** Checks an input file chunk by chunk: what both ways of doing so have in common. */
import type { BatchError } from '../src/domain/batch';
import { InputCheck, type InputFacts, type InputFindings, type InputRules } from './input-check';

/** The rules in a form that can be sent to a thread: the models that are served, for `hasModel`. */
export interface FileRules extends Omit<InputRules, 'hasModel'> {
  readonly models: readonly string[];
}

/** Bad lines, each as a line of JSON in UTF-8: the form in which all of them are stored. */
export interface FoundErrors {
  readonly errorCount: number;
  readonly errorLines: readonly Uint8Array[];
}

export interface FileCheckEnd {
  readonly found: FoundErrors;
  readonly findings: InputFindings;
}

/** Takes a file, one call at a time. */
export interface FileCheck {
  /** Reads on; resolves to bad lines that were found meanwhile, in these bytes or in earlier ones. */
  add(chunk: Uint8Array): Promise<FoundErrors>;
  /** To be called after the last byte; resolves to the last bad lines, and what the file is. */
  end(): Promise<FileCheckEnd>;
  /** Frees what the check holds, whether or not the file was read to its end. */
  close(): Promise<void>;
}

export type OpenFileCheck = (rules: FileRules, facts: InputFacts) => FileCheck;

/** In the calling thread, which is kept from anything else meanwhile. */
export class BlockingFileCheck implements FileCheck {
  private readonly check: InputCheck;

  constructor(rules: FileRules, facts: InputFacts) {
    this.check = createInputCheck(rules, facts);
  }

  add(chunk: Uint8Array): Promise<FoundErrors> {
    return Promise.resolve(toFoundErrors(this.check.add(chunk)));
  }

  end(): Promise<FileCheckEnd> {
    const found = toFoundErrors(this.check.end());
    return Promise.resolve({ found, findings: this.check.findings() });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export function createInputCheck({ models, ...rules }: FileRules, facts: InputFacts): InputCheck {
  const served = new Set(models);
  return new InputCheck({ ...rules, hasModel: (model) => served.has(model) }, facts);
}

export function toFoundErrors(errors: readonly BatchError[]): FoundErrors {
  if (errors.length === 0) {
    return nothingFound;
  }
  const text = errors.map((error) => `${JSON.stringify(error)}\n`).join('');
  return { errorCount: errors.length, errorLines: [new TextEncoder().encode(text)] };
}

export const nothingFound: FoundErrors = { errorCount: 0, errorLines: [] };

export function joined(left: FoundErrors, right: FoundErrors): FoundErrors {
  return {
    errorCount: left.errorCount + right.errorCount,
    errorLines: [...left.errorLines, ...right.errorLines],
  };
}
