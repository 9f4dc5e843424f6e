/** Programs of the benchmarks that run in processes of their own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface ChildProgram<T> {
  readonly pid: number;
  /** Its first line on standard output. */
  readonly output: T;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

/**
 * Starts a built program of this folder and waits for its first line, which is JSON. It is expected
 * to end with its standard input at the latest, so that it does not outlive us, and is told to when the
 * signal aborts.
 */
export async function startProgram<T>(
  name: string,
  argument?: unknown,
  signal?: AbortSignal,
): Promise<ChildProgram<T>> {
  const args = argument === undefined ? [] : [JSON.stringify(argument)];
  const child = spawn(process.execPath, [join(__dirname, `${name}.js`), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    ...(signal !== undefined && { signal }),
  });
  // An abort is one too; what has become of the program is told by its output.
  child.on('error', () => undefined);
  const output = (await firstLine(child, name)) as T;
  return {
    pid: child.pid ?? 0,
    output,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await once(child, 'exit');
      }
    },
  };
}

async function firstLine(child: ChildProcess, name: string): Promise<unknown> {
  if (child.stdout === null) {
    throw new Error(`The program ${name} has no standard output.`);
  }
  for await (const line of createInterface({ input: child.stdout })) {
    return JSON.parse(line);
  }
  throw new Error(`The program ${name} ended without a result.`);
}
