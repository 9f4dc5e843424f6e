/**
 * Builds result lines by splicing: the request's `custom_id` and the answer's body go in byte for
 * byte, only what stands between them is ours.
 */
import type { ResultForm } from '../src/domain/batch';
import type { RequestId } from '../src/domain/ids';
import type { LineFailure } from '../src/domain/outcome';
import { isSuccess } from '../src/upstream/answer';
import type { LineAnswer } from '../src/upstream/dispatcher';

/** Whose result it is. `customId` is the JSON string with its quotes, as in the input file. */
export interface LineIdentity {
  readonly requestId: RequestId;
  readonly customId: Uint8Array;
}

/**
 * The line of a request that the upstream answered, with whatever status, in pieces: that of a large
 * answer is put together only where it is stored. In the form `bare` there is no place for the status:
 * `error` tells it where it is none of success.
 */
export function answeredLine(
  identity: LineIdentity,
  answer: LineAnswer,
  form: ResultForm = 'openai',
): readonly Uint8Array[] {
  const { requestId, customId } = identity;
  if (form === 'bare') {
    return spliced(
      [`{"id":"${requestId}","custom_id":`, customId, ',"response":'],
      answer.body,
      `,"error":${bareError(answer.status)}}\n`,
    );
  }
  const upstreamRequestId = JSON.stringify(answer.upstreamRequestId ?? requestId.slice(-32));
  const response = `{"status_code":${answer.status},"request_id":${upstreamRequestId},"body":`;
  return spliced(
    [`{"id":"${requestId}","custom_id":`, customId, `,"response":${response}`],
    answer.body,
    '},"error":null}\n',
  );
}

/** The line of a request that has no answer. */
export function failedLine({ requestId, customId }: LineIdentity, failure: LineFailure): Buffer {
  const error = JSON.stringify({ code: failure.code, message: failure.message });
  return joined([
    `{"id":"${requestId}","custom_id":`,
    customId,
    `,"response":null,"error":${error}}\n`,
  ]);
}

function bareError(status: number): string {
  return isSuccess(status)
    ? 'null'
    : JSON.stringify({
        code: `http_${status}`,
        message: `The inference server answered with status ${status}; response has what it said.`,
      });
}

type Part = string | Uint8Array;

function spliced(
  before: readonly Part[],
  body: readonly Uint8Array[],
  after: string,
): readonly Uint8Array[] {
  return body.length === 1
    ? [joined([...before, ...body, after])]
    : [joined(before), ...body, joined([after])];
}

function joined(parts: readonly Part[]): Buffer {
  const bytes = Buffer.allocUnsafe(parts.reduce((sum, part) => sum + sizeOf(part), 0));
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') {
      at += bytes.write(part, at);
    } else {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

function sizeOf(part: Part): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : part.length;
}
