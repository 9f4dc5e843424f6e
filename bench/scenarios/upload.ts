/** What a large upload costs: memory of the API, and speed over that of the store alone. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { say } from '../../scripts/cli/run-program';
import type { Stack } from '../../scripts/local/stack';
import { makeBenchFolder, startBenchStack } from '../bench-stack';
import { parseNumbers } from '../parse-numbers';
import { peakRssBytes, resetPeakRss, rounded, rssBytes, startCpuClock } from '../process-stats';
import type { Findings } from '../report';
import { writeInputFile } from '../request-lines';
import { putPlainly } from '../s3-put';
import { deleteFile, uploadFile } from '../upload-file';

export const uploadHelp = `upload: memory and speed of a large upload, over the speed of a plain put to the store
  --megabytes N           size of the file (1000)
  --runs N                uploads and puts, in turn (3)`;

const defaults = { megabytes: 1_000, runs: 3 };

const rssGrowthBytesMax = 150e6;
const readBytes = 1024 * 1024;

interface UploadRun {
  readonly plainBytesPerSecond: number;
  readonly apiBytesPerSecond: number;
  readonly rssGrowthBytes: number;
  readonly cpu: Readonly<Record<string, number>>;
}

export async function runUpload(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  const folder = makeBenchFolder();
  try {
    const path = join(folder.path, 'input.jsonl');
    say(`Writing a file of ${parameters.megabytes} MB …`);
    const bytes = await writeInputFile(path, { bytes: parameters.megabytes * 1e6 });
    const stack = await startBenchStack(
      { folder, parts: ['minio', 'temporal', 'api'], upstream: { port: 1, inFlight: 1 } },
      abort,
    );
    try {
      const runs: UploadRun[] = [];
      while (runs.length < parameters.runs) {
        runs.push(await runOnce(stack, { path, bytes }, abort.signal));
      }
      return findingsOf(runs, { ...parameters, file_bytes: bytes });
    } finally {
      await stack.stop();
    }
  } finally {
    folder.remove();
  }
}

async function runOnce(
  stack: Stack,
  { path, bytes }: { readonly path: string; readonly bytes: number },
  signal: AbortSignal,
): Promise<UploadRun> {
  signal.throwIfAborted();
  const stream = (): Readable => createReadStream(path, { highWaterMark: readBytes });
  const putAt = performance.now();
  await putPlainly(stack.store, 'bench/plain', { bytes, stream: stream() });
  const plainSeconds = secondsSince(putAt);
  const pids = { api: stack.process('api').pid, minio: stack.process('minio').pid };
  resetPeakRss(pids.api);
  const rssBefore = rssBytes(pids.api);
  const stopCpuClock = startCpuClock(pids);
  const uploadedAt = performance.now();
  const file = await uploadFile(stack, { bytes, chunks: stream() }, signal);
  const apiSeconds = secondsSince(uploadedAt);
  const run = {
    plainBytesPerSecond: bytes / plainSeconds,
    apiBytesPerSecond: bytes / apiSeconds,
    rssGrowthBytes: peakRssBytes(pids.api) - rssBefore,
    cpu: stopCpuClock(),
  };
  await deleteFile(stack, file);
  say(
    `Plain put ${megabytes(run.plainBytesPerSecond)} MB/s, upload ${megabytes(run.apiBytesPerSecond)} MB/s, ` +
      `API grew by ${megabytes(run.rssGrowthBytes)} MB`,
  );
  return run;
}

function findingsOf(runs: readonly UploadRun[], parameters: Findings['parameters']): Findings {
  const plain = median(runs.map((run) => run.plainBytesPerSecond));
  const upload = median(runs.map((run) => run.apiBytesPerSecond));
  const rssGrowth = Math.max(...runs.map((run) => run.rssGrowthBytes));
  return {
    ratio: rounded(upload / plain),
    bar: {
      asks: `api_rss_growth_bytes of at most ${rssGrowthBytesMax}`,
      met: rssGrowth <= rssGrowthBytesMax,
    },
    reference: { client: 'one S3 PUT', megabytes_per_second: megabytes(plain) },
    api_rss_growth_bytes: rssGrowth,
    service: {
      megabytes_per_second: megabytes(upload),
      megabytes_per_second_of_runs: runs.map((run) => megabytes(run.apiBytesPerSecond)),
      api_rss_growth_bytes_of_runs: runs.map((run) => run.rssGrowthBytes),
      cpu_seconds_of_runs: runs.map((run) => run.cpu),
    },
    parameters,
  };
}

function secondsSince(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
