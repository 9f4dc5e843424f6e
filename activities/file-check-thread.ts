/** The thread of a {@link ThreadedFileCheck}: answers each request with what it has found. */
import { parentPort, workerData } from 'node:worker_threads';
import { createInputCheck, joined, nothingFound, toFoundErrors } from './file-check';
import type { ThreadInput, ThreadReply, ThreadRequest } from './threaded-file-check';

/** Every second byte may be a bad line: errors become text before there are a million of them. */
const pieceBytes = 131_072;

// A bad line is an exception of `JSON.parse`, and nobody looks at its stack.
Error.stackTraceLimit = 0;

const { rules, facts } = workerData as ThreadInput;
const check = createInputCheck(rules, facts);

parentPort?.on('message', (request: ThreadRequest) => {
  const reply = replyTo(request);
  const buffers = reply.found.errorLines.map(({ buffer }) => buffer as ArrayBuffer);
  parentPort?.postMessage(reply, reply.block === undefined ? buffers : [...buffers, reply.block]);
});

function replyTo(request: ThreadRequest): ThreadReply {
  if (request === 'end') {
    return { found: toFoundErrors(check.end()), findings: check.findings() };
  }
  let found = nothingFound;
  for (let from = 0; from < request.length; from += pieceBytes) {
    const piece = request.subarray(from, from + pieceBytes);
    found = joined(found, toFoundErrors(check.add(piece)));
  }
  return { found, block: request.buffer };
}
