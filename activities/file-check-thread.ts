/** The thread of a {@link ThreadedFileCheck}: answers each request with what it has found. */
import { parentPort, workerData } from 'node:worker_threads';
import { createInputCheck, toFoundErrors } from './file-check';
import type { ThreadInput, ThreadReply, ThreadRequest } from './threaded-file-check';

const { rules, facts, blocks } = workerData as ThreadInput;
const check = createInputCheck(rules, facts);

parentPort?.on('message', (request: ThreadRequest) => {
  parentPort?.postMessage(replyTo(request));
});

function replyTo(request: ThreadRequest): ThreadReply {
  if (request === 'end') {
    const found = toFoundErrors(check.end());
    return { ...found, findings: check.findings() };
  }
  const block = blocks[request.block] ?? new SharedArrayBuffer(0);
  return toFoundErrors(check.add(new Uint8Array(block, 0, request.bytes)));
}
