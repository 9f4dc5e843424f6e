import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

const intervalMs = 2_000;

/** Looks at a folder until the returned function is called, which resolves to the most that was in it. */
export function watchDisk(folder: string): () => Promise<number> {
  const ended = new AbortController();
  const peak = largestSize(folder, ended.signal);
  return async () => {
    ended.abort();
    return await peak;
  };
}

async function largestSize(folder: string, ended: AbortSignal): Promise<number> {
  let bytes = 0;
  do {
    bytes = Math.max(bytes, await sizeOf(folder));
    await delay(intervalMs, undefined, { signal: ended }).catch(() => undefined);
  } while (!ended.aborted);
  return Math.max(bytes, await sizeOf(folder));
}

/** What has gone meanwhile makes `du` fail, once it has said what there is. */
async function sizeOf(folder: string): Promise<number> {
  const kibibytes = await new Promise<string>((resolve) => {
    execFile('du', ['-sk', folder], (_, stdout) => {
      resolve(stdout);
    });
  });
  return Number.parseInt(kibibytes, 10) * 1024;
}
