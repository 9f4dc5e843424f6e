/** The lines of a result file, as bytes and as what they say. */
import type { BatchObservation, ResultFile } from '../observation';

export interface ParsedLine {
  /** JSON text as it stands in the line. */
  readonly customIdText: string;
  readonly customId: string;
  /** Absent where there is no response. */
  readonly response?: { readonly status: number; readonly bodyText: string };
  /** Absent where it is null. */
  readonly errorCode?: string;
}

/** A line that is not as docs/batches.md says is a `string`: its beginning. */
export function linesOf(file: ResultFile | undefined): (ParsedLine | string)[] {
  if (file === undefined) {
    return [];
  }
  const lines = file.content.toString('utf8').split('\n');
  // Each line ends in a line feed, so the last piece is empty.
  const rest = lines.pop();
  return [
    ...lines.map(parseLine),
    ...(rest === '' ? [] : [`not ended: ${rest ?? ''}`.slice(0, 80)]),
  ];
}

/** Both files; lines that are not readable are left out. */
export function readableLines(batch: BatchObservation): {
  readonly output: readonly ParsedLine[];
  readonly errors: readonly ParsedLine[];
} {
  const readable = (file: ResultFile | undefined): ParsedLine[] =>
    linesOf(file).filter((line) => typeof line !== 'string');
  return { output: readable(batch.output), errors: readable(batch.errors) };
}

/** The parts between which Longhaul splices bytes that are not its own. */
const answered =
  /^\{"id":"batch_req_[0-9a-f]+","custom_id":("(?:[^"\\]|\\.)*"),"response":\{"status_code":(\d{3}),"request_id":"[^"]*","body":(.*)\},"error":null\}$/su;
const failed =
  /^\{"id":"batch_req_[0-9a-f]+","custom_id":("(?:[^"\\]|\\.)*"),"response":null,"error":\{"code":"([a-z_]+)","message":"(?:[^"\\]|\\.)*"\}\}$/su;

function parseLine(line: string): ParsedLine | string {
  const isJson = parses(line);
  const [, id = '', status, bodyText = ''] = answered.exec(line) ?? [];
  if (isJson && status !== undefined) {
    const response = { status: Number(status), bodyText };
    return { customIdText: id, customId: JSON.parse(id) as string, response };
  }
  const [, failedId = '', errorCode] = failed.exec(line) ?? [];
  return isJson && errorCode !== undefined
    ? { customIdText: failedId, customId: JSON.parse(failedId) as string, errorCode }
    : line.slice(0, 80);
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
