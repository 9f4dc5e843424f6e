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

const lineFeed = 0x0a;

/**
 * The line of a request that the upstream answered, with whatever status. In the form `bare` there
 * is no place for the status: `error` tells it where it is none of success.
 */
export function answeredLine(
  identity: LineIdentity,
  answer: LineAnswer,
  form: ResultForm = 'openai',
): Buffer {
  const { requestId, customId } = identity;
  if (form === 'bare') {
    return spliced(
      `{"id":"${requestId}","custom_id":`,
      customId,
      ',"response":',
      answer.body,
      `,"error":${bareError(answer.status)}}`,
    );
  }
  const upstreamRequestId = JSON.stringify(answer.upstreamRequestId ?? requestId.slice(-32));
  return spliced(
    `{"id":"${requestId}","custom_id":`,
    customId,
    `,"response":{"status_code":${answer.status},"request_id":${upstreamRequestId},"body":`,
    answer.body,
    '},"error":null}',
  );
}

/** The line of a request that has no answer. */
export function failedLine({ requestId, customId }: LineIdentity, failure: LineFailure): Buffer {
  const error = JSON.stringify({ code: failure.code, message: failure.message });
  return spliced(
    `{"id":"${requestId}","custom_id":`,
    customId,
    `,"response":null,"error":${error}}`,
  );
}

function bareError(status: number): string {
  return isSuccess(status)
    ? 'null'
    : JSON.stringify({
        code: `http_${status}`,
        message: `The inference server answered with status ${status}; response has what it said.`,
      });
}

function spliced(...parts: readonly (string | Uint8Array)[]): Buffer {
  const size = parts.reduce((sum, part) => sum + sizeOf(part), 1);
  const line = Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'string') {
      at += line.write(part, at);
    } else {
      line.set(part, at);
      at += part.length;
    }
  }
  line[at] = lineFeed;
  return line;
}

function sizeOf(part: string | Uint8Array): number {
  return typeof part === 'string' ? Buffer.byteLength(part) : part.length;
}
