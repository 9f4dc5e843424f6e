/** The demo's input file, as far as the demo itself must know it. */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { LocalError } from '../local/local-error';

export interface InputFile {
  readonly path: string;
  readonly customIds: ReadonlySet<string>;
  /** Of its first line, which are those of all of them if the file is valid. */
  readonly model: string;
  readonly endpoint: string;
}

interface InputLine {
  readonly custom_id?: unknown;
  readonly url?: unknown;
  readonly body?: { readonly model?: unknown };
}

/**
 * Reads what the result is compared with. Whether each line is a good request is for the API to say.
 *
 * @throws {@link LocalError} when there is no such file, or its first line is no request.
 */
export async function readInputFile(path: string): Promise<InputFile> {
  if (!existsSync(path) || !statSync(path).isFile()) {
    throw new LocalError(`There is no file ${path}.`);
  }
  const customIds = new Set<string>();
  let first: InputLine | undefined;
  for await (const line of linesOf(path)) {
    const parsed = parseLine(line);
    first ??= parsed ?? notJsonl(path);
    if (typeof parsed?.custom_id === 'string') {
      customIds.add(parsed.custom_id);
    }
  }
  return { path, customIds, ...aimOf(first, path) };
}

function aimOf(first: InputLine | undefined, path: string): Pick<InputFile, 'model' | 'endpoint'> {
  const model = first?.body?.model;
  const endpoint = first?.url;
  return typeof model === 'string' && typeof endpoint === 'string'
    ? { model, endpoint }
    : notJsonl(path);
}

/** Lines of a file, without those that are empty. */
export async function* linesOf(path: string): AsyncGenerator<string> {
  for await (const line of createInterface({
    input: createReadStream(path),
    crlfDelay: Infinity,
  })) {
    if (line !== '') {
      yield line;
    }
  }
}

function parseLine(line: string): InputLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function notJsonl(path: string): never {
  throw new LocalError(
    `${path} is no batch input file: each of its lines must be a JSON object like {"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"…","messages":[…]}}.`,
  );
}
