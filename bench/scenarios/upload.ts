/** What a large upload costs: memory of the API, and speed over that of the store alone. */
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { say } from '../../scripts/cli/run-program';
import type { Stack } from '../../scripts/local/stack';
import { inBenchFolder, inBenchStack, partsWithoutWorkers } from '../bench-stack';
import { parseNumbers } from '../parse-numbers';
import {
  peakRssBytes,
  resetPeakRss,
  rounded,
  rssBytes,
  startCpuClock,
  startOthersClock,
  isDisturbedByOthers,
} from '../process-stats';
import { everyBar, type Findings } from '../report';
import { writeInputFile } from '../request-lines';
import { median, spread } from '../statistics';
import { putPlainly, putWithClient, removePut, type PutContent } from '../store-puts';
import { deleteFile, uploadFile } from '../upload-file';

export const uploadHelp = `upload: memory and speed of a large upload, over the speed of puts straight to the store
  --gigabytes N           size of the file (5)
  --rounds N              uploads, and puts of each kind, in turn (3)`;

const defaults = { gigabytes: 5, rounds: 3 };

const ratioMin = 0.8;
const rssGrowthBytesMax = 150e6;
const readBytes = 1024 * 1024;

const contenders = ['put_object', 'plain_put', 'upload'] as const;
type Contender = (typeof contenders)[number];

interface InputFile {
  readonly path: string;
  readonly bytes: number;
}

interface Turn {
  readonly bytesPerSecond: number;
  readonly rssGrowthBytes: number;
  readonly cpu: Readonly<Record<string, number>>;
  readonly othersShare: number;
}

type Turns = Readonly<Record<Contender, Turn[]>>;

export async function runUpload(
  args: readonly string[],
  abort: AbortController,
): Promise<Findings> {
  const parameters = parseNumbers(args, defaults);
  return await inBenchFolder(async (folder) => {
    const path = join(folder, 'input.jsonl');
    say(`Writing a file of ${parameters.gigabytes} GB …`);
    const bytes = await writeInputFile(path, { bytes: parameters.gigabytes * 1e9 });
    const upstream = { port: 1, inFlight: 1 };
    const options = { folder, parts: partsWithoutWorkers, upstream };
    return await inBenchStack(options, abort, async (stack) => {
      const turns: Turns = { put_object: [], plain_put: [], upload: [] };
      for (let round = 0; round < parameters.rounds; round += 1) {
        // Whoever comes first finds the store rested: each of them once in three rounds.
        const first = round % contenders.length;
        for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
          turns[contender].push(await takeTurn(stack, contender, { path, bytes }, abort.signal));
        }
      }
      return findingsOf(turns, { ...parameters, file_bytes: bytes });
    });
  });
}

/** Sends the file, and removes what the store then holds. */
async function takeTurn(
  stack: Stack,
  contender: Contender,
  file: InputFile,
  signal: AbortSignal,
): Promise<Turn> {
  signal.throwIfAborted();
  // Dirty pages of the turn before would be written during this one.
  execFileSync('sync');
  const pids = {
    api: stack.process('api').pid,
    minio: stack.process('minio').pid,
    client: process.pid,
  };
  resetPeakRss(pids.api);
  const rssBefore = rssBytes(pids.api);
  const stopCpuClock = startCpuClock(pids);
  const stopOthersClock = startOthersClock(Object.values(pids));
  const startedAt = performance.now();
  const remove = await send(stack, contender, file, signal);
  const turn = {
    bytesPerSecond: file.bytes / ((performance.now() - startedAt) / 1000),
    cpu: stopCpuClock(),
    othersShare: stopOthersClock(),
    rssGrowthBytes: peakRssBytes(pids.api) - rssBefore,
  };
  await remove();
  say(
    `${contender}: ${megabytes(turn.bytesPerSecond)} MB/s, ` +
      `API grew by ${megabytes(turn.rssGrowthBytes)} MB, CPU ${JSON.stringify(turn.cpu)} s, ` +
      `others used ${Math.round(turn.othersShare * 100)} % of the machine`,
  );
  return turn;
}

/** Resolves to what removes the file again. */
async function send(
  stack: Stack,
  contender: Contender,
  { path, bytes }: InputFile,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const stream: Readable = createReadStream(path, { highWaterMark: readBytes });
  if (contender === 'upload') {
    const uploaded = await uploadFile(stack, { bytes, chunks: stream }, signal);
    return async () => {
      await deleteFile(stack, uploaded);
    };
  }
  const key = `bench/${contender}`;
  const put: typeof putPlainly = contender === 'plain_put' ? putPlainly : putWithClient;
  const content: PutContent = { bytes, stream };
  await put(stack.store, key, content);
  return async () => {
    await removePut(stack.store, key, bytes);
  };
}

function findingsOf(turns: Turns, parameters: Findings['parameters']): Findings {
  const speed = (of: Contender): number => median(turns[of].map((turn) => turn.bytesPerSecond));
  const ratio = rounded(speed('upload') / speed('put_object'));
  const rssGrowth = Math.max(...turns.upload.map((turn) => turn.rssGrowthBytes));
  return {
    ratio,
    ratio_to_plain_put: rounded(speed('upload') / speed('plain_put')),
    api_rss_growth_bytes: rssGrowth,
    disturbed: isDisturbedByOthers(Object.values(turns).flat()),
    bar: everyBar([
      { asks: `ratio of at least ${ratioMin}`, met: ratio >= ratioMin },
      {
        asks: `api_rss_growth_bytes of at most ${rssGrowthBytesMax}`,
        met: rssGrowth <= rssGrowthBytesMax,
      },
    ]),
    reference: {
      put_object: { client: 'putObject of minio', ...describe(turns.put_object) },
      plain_put: { client: 'one S3 PUT', ...describe(turns.plain_put) },
    },
    service: {
      ...describe(turns.upload),
      api_rss_growth_bytes_of_rounds: turns.upload.map((turn) => turn.rssGrowthBytes),
    },
    parameters,
  };
}

function describe(turns: readonly Turn[]): Record<string, unknown> {
  const speeds = turns.map((turn) => turn.bytesPerSecond);
  return {
    megabytes_per_second: megabytes(median(speeds)),
    spread: rounded(spread(speeds)),
    megabytes_per_second_of_rounds: speeds.map(megabytes),
    cpu_seconds_of_rounds: turns.map((turn) => turn.cpu),
    others_cpu_share_of_rounds: turns.map((turn) => turn.othersShare),
  };
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}
