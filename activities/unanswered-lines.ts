/** Streams the request lines of a shard that have no answer yet. */
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { memberSpans, type Span } from '../src/domain/json-spans';
import { isFileId, makeRequestId, type RequestId } from '../src/domain/ids';
import { lineBytesMax } from '../src/domain/limits';
import type { BatchRef } from '../src/domain/workflow-contract';
import { MissingObject, type ActivityDeps } from './deps';
import { isBlank, readLines } from './line-reader';
import type { OpenShard } from './open-shard';

/** It takes some milliseconds to find the parts of a line of so many bytes. */
const largeBytesMin = 1_048_576;

/** A validated request line; its parts are views into what was read. */
export interface UnansweredLine {
  readonly ordinal: number;
  readonly requestId: RequestId;
  /** The JSON string with its quotes. */
  readonly customId: Uint8Array;
  readonly body: Uint8Array;
}

/**
 * Yields the lines in the order of the input, some at a time. Reads only the shard's byte range.
 *
 * @throws when that has other lines than were planned: such a shard is never complete, and a slice
 *   that returned would be followed by the next one at once.
 */
export async function* unansweredLines(
  deps: ActivityDeps,
  open: OpenShard,
): AsyncGenerator<UnansweredLine[]> {
  const { ref, shard, ledger } = open;
  const answered = ledger.answeredOrdinals();
  if (answered.size === shard.lineCount) {
    return;
  }
  const content = open.input === undefined ? await openInput(deps, open) : [open.input];
  const endOrdinal = shard.firstOrdinal + shard.lineCount;
  let ordinal = shard.firstOrdinal;
  for await (const lines of readLines(content, { lineBytesMax })) {
    const unanswered: UnansweredLine[] = [];
    for (const line of lines) {
      if (isBlank(line)) {
        continue;
      }
      if (!answered.has(ordinal)) {
        unanswered.push(toUnanswered(line.bytes, ordinal, makeRequestId(ref.batchId, ordinal)));
        if (line.bytes.length > largeBytesMin) {
          await nextTurn();
        }
      }
      ordinal += 1;
    }
    if (ordinal > endOrdinal) {
      throw new InputChanged(ref);
    }
    yield unanswered;
  }
  if (ordinal < endOrdinal) {
    throw new InputChanged(ref);
  }
}

async function openInput(
  { files }: ActivityDeps,
  { ref, batch: { inputFileId }, shard }: OpenShard,
): Promise<Readable> {
  const range = { offset: shard.byteOffset, length: shard.byteLength };
  const content = isFileId(inputFileId)
    ? await files.openContent(ref.projectId, inputFileId, range)
    : undefined;
  if (content === undefined) {
    throw new MissingObject('input file', ref);
  }
  return content;
}

class InputChanged extends Error {
  override readonly name = 'InputChanged';

  constructor({ batchId }: BatchRef) {
    super(`The input file of a batch has other lines than were planned [batch=${batchId}]`);
  }
}

function toUnanswered(bytes: Buffer, ordinal: number, requestId: RequestId): UnansweredLine {
  const [customId, body] = memberSpans(bytes, ['custom_id', 'body']);
  return { ordinal, requestId, customId: view(bytes, customId), body: view(bytes, body) };
}

/** Validation has seen to it that both members are there. */
function view(bytes: Buffer, span: Span | undefined): Uint8Array {
  if (span === undefined) {
    throw new Error('A request line that was validated has lost a member');
  }
  return bytes.subarray(span.start, span.end);
}
