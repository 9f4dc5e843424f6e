// Running other programs.
import { spawn } from 'node:child_process';
import { projectRoot } from './project.mjs';

/** Of a program that was killed because its time was up; as of the command `timeout`. */
export const timeoutExitCode = 124;

const interrupts = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a program to its end, or until `timeoutMs` have passed, and keeps what it prints (both
 * streams, in order).
 *
 * @returns `{ exitCode, output }`; a program that cannot be started has exit code 127.
 */
export function capture(command, args, { timeoutMs, ...options } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: projectRoot,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...options,
    });
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stderr.on('data', (chunk) => chunks.push(chunk));
    const giveUp = () => {
      end(timeoutExitCode);
      child.kill('SIGKILL');
      // What the program has started may hold them open.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(giveUp, timeoutMs);
    const end = (exitCode, note = '') => {
      clearTimeout(timer);
      resolve({ exitCode, output: Buffer.concat(chunks).toString('utf8') + note });
    };
    child.on('error', (error) => end(127, String(error.message)));
    child.on('close', (code) => end(code ?? 1));
  });
}

/**
 * Runs a program on this terminal. Ctrl-C reaches it as it reaches us, and it is waited for, so
 * that it can put its things away.
 *
 * @returns its exit code; 128 and more when a signal ended it.
 */
export function runInForeground(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: projectRoot, stdio: 'inherit', ...options });
    const ignore = () => undefined;
    // SIGINT of a terminal goes to the whole group; the other two are sent to one process.
    const forward = (signal) => signal === 'SIGINT' || child.kill(signal);
    interrupts.forEach((signal) => process.on(signal, signal === 'SIGINT' ? ignore : forward));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      interrupts.forEach((name) => {
        process.off(name, ignore);
        process.off(name, forward);
      });
      resolve(code ?? (signal === 'SIGINT' ? 130 : 143));
    });
  });
}
