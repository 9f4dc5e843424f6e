/** The thread of a {@link ThreadedFileCheck}: answers each request with what it has found. */
import { parentPort, workerData } from 'node:worker_threads';
import { createInputCheck, joined, nothingFound, toFoundErrors } from './file-check';
import type { ThreadInput, ThreadReply, ThreadRequest } from './threaded-file-check';

/**
 * Every second byte may be a bad line, with several errors each: they become text before there are
 * many of them. Where there are none, larger pieces cost less.
 */
const pieceBytesMin = 2_048;
const pieceBytesMax = 131_072;

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
  let pieceBytes = pieceBytesMin;
  for (let from = 0; from < request.length;) {
    const piece = request.subarray(from, from + pieceBytes);
    const more = toFoundErrors(check.add(piece));
    found = joined(found, more);
    from += piece.length;
    pieceBytes = more.errorCount > 0 ? pieceBytesMin : pieceBytesMax;
  }
  return { found, block: request.buffer };
}
