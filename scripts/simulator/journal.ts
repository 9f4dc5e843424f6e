/**
 * What the simulated upstream was sent and what it answered in full, one line each, for whoever
 * checks it after the process was killed: a line is in the file once it has been written, whatever
 * becomes of the process.
 */
import { closeSync, openSync, writeSync } from 'node:fs';

export interface JournalEntry {
  /** A request received whole, or an answer sent whole. */
  readonly kind: 'request' | 'answer';
  /** Unix milliseconds. */
  readonly at: number;
  /** SHA-256 of the request's body, in hexadecimal. */
  readonly hash: string;
  /** Of an answer; a 200 that holds no JSON counts as 0. */
  readonly status?: number;
}

export class Journal {
  private readonly file: number;

  /** @param path is appended to. */
  constructor(path: string) {
    this.file = openSync(path, 'a', 0o600);
  }

  request(hash: string): void {
    writeSync(this.file, `R ${Date.now()} ${hash}\n`);
  }

  answer(hash: string, status: number): void {
    writeSync(this.file, `A ${Date.now()} ${hash} ${status}\n`);
  }

  close(): void {
    closeSync(this.file);
  }
}

/** A line that a killed process had no time to finish is left out. */
export function parseJournal(text: string): JournalEntry[] {
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .flatMap((line): JournalEntry[] => {
      const [kind, at, hash, status] = line.split(' ');
      if (hash === undefined) {
        return [];
      }
      return kind === 'R'
        ? [{ kind: 'request', at: Number(at), hash }]
        : [{ kind: 'answer', at: Number(at), hash, status: Number(status) }];
    });
}
