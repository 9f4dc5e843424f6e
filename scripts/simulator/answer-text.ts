/** The bytes of a good answer, a pure function of the request's, which a checker may repeat. */
import { createHash } from 'node:crypto';
import { answerOf, type AnsweredEndpoint, type RequestBody } from './answers';
import type { Fault, FaultKind } from './faults';

/** An inference request, received and understood. */
export interface AnswerRequest {
  readonly endpoint: AnsweredEndpoint;
  readonly body: RequestBody;
  /** As it was received, which `body` was parsed from. */
  readonly bytes: Buffer;
  readonly faults: ReadonlyMap<FaultKind, Fault>;
}

export function answerText({ endpoint, body, bytes, faults }: AnswerRequest): string {
  if (faults.has('garbage')) {
    return '<html><body>This is not the answer that you are looking for.</body></html>';
  }
  const size = faults.get('size')?.value ?? 0;
  const answer = {
    ...answerOf(endpoint, body, bytes),
    ...(size > 0 ? { padding: 'x'.repeat(size) } : {}),
  };
  const text = JSON.stringify(answer, null, faults.has('pretty') ? 2 : 0);
  return faults.has('echo') ? withEcho(text, bytes) : text;
}

export function sha256Of(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The request goes in as it is: numbers and doubled keys that no printer would write. */
function withEcho(text: string, bytes: Buffer): string {
  const echo = `"request_sha256":"${sha256Of(bytes)}","request":${bytes.toString('utf8')}`;
  return `${text.slice(0, text.lastIndexOf('}'))},${echo}}`;
}
