/** Whether an upload may take its time: there is an idle timeout, and no total one. */
import { setTimeout as delay } from 'node:timers/promises';
import { say } from '../../scripts/cli/run-program';
import { inBenchFolder, inBenchStack, partsWithoutWorkers } from '../bench-stack';
import { parseNumbers } from '../parse-numbers';
import { rounded } from '../process-stats';
import type { Findings } from '../report';
import { requestLine } from '../request-lines';
import { uploadFile } from '../upload-file';

export const slowUploadHelp = `slow-upload: whether an upload of a line per second is received to its end
  --minutes N             how long it takes (10)`;

const defaults = { minutes: 10 };

/** What Node cuts a request after, unless it is told otherwise (`server.requestTimeout`). */
const nodeRequestTimeoutSeconds = 300;

export async function runSlowUpload(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const { minutes } = parseNumbers(args, defaults);
  return await inBenchFolder(async (folder) => {
    const upstream = { port: 1, inFlight: 1 };
    const options = { folder, parts: partsWithoutWorkers, upstream };
    return await inBenchStack(options, abort, async (stack) => {
      const lines = Math.round(minutes * 60);
      const bytes = lines * Buffer.byteLength(requestLine(0));
      const startedAt = performance.now();
      const content = { bytes, chunks: trickle(lines, abort.signal) };
      const file = await uploadFile(stack, content, abort.signal);
      const seconds = (performance.now() - startedAt) / 1000;
      return {
        ratio: rounded(seconds / nodeRequestTimeoutSeconds),
        bar: { asks: 'an upload that succeeds', met: file.bytes === bytes },
        reference: { node_request_timeout_seconds: nodeRequestTimeoutSeconds },
        service: { seconds: rounded(seconds), file_bytes: file.bytes },
        parameters: { minutes, lines },
      };
    });
  });
}

async function* trickle(lines: number, signal: AbortSignal): AsyncGenerator<Buffer> {
  for (let line = 0; line < lines; line++) {
    await delay(1_000, undefined, { signal });
    yield Buffer.from(requestLine(line));
    if (line % 60 === 59) {
      say(`Uploading for ${Math.round((line + 1) / 60)} min`);
    }
  }
}
