/**
 * Checks an input file in a thread of its own.
 *
 * A line may be written so that parsing it takes a second, and a large file takes seconds whatever is
 * in it; a process that checked it in its only thread would not heartbeat meanwhile. The bytes go
 * through three shared blocks: while the thread works on two of them, the third is filled.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  BlockingFileCheck,
  type FileCheck,
  type FileCheckEnd,
  type FileRules,
  type FoundErrors,
} from './file-check';
import type { InputFacts, InputFindings } from './input-check';

/** What the thread is given at its start. */
export interface ThreadInput {
  readonly rules: FileRules;
  readonly facts: InputFacts;
  readonly blocks: readonly SharedArrayBuffer[];
}

/** The bytes at the start of a block are the next of the file; or the file has ended. */
export type ThreadRequest = { readonly block: number; readonly bytes: number } | 'end';

/** One for each request, in their order. */
export type ThreadReply = FoundErrors & { readonly findings?: InputFindings };

/** Small, because each byte may be half of a bad line, with an error of 150 bytes. */
const blockBytes = 131_072;
const blockCount = 3;

/**
 * Starting a thread takes some 30 ms of processor time. A file of this size takes as much when all of
 * it is bad, and not a millisecond when it is good.
 */
const bytesCheckedHereMax = 65_536;

/** In a thread, unless the file is so small that a thread is not worth it. */
export function openFileCheck(rules: FileRules, facts: InputFacts): FileCheck {
  return facts.fileBytes > bytesCheckedHereMax
    ? new ThreadedFileCheck(rules, facts)
    : new BlockingFileCheck(rules, facts);
}

const nothingFound: FoundErrors = { errorCount: 0, errorLines: '' };

export class ThreadedFileCheck implements FileCheck {
  private readonly thread: Worker;
  private readonly blocks: readonly Uint8Array[];
  private filling = 0;
  private filledBytes = 0;
  /** Replies that are still to be looked at, oldest first. */
  private readonly replies: Promise<ThreadReply>[] = [];
  private readonly waiting: PromiseParts[] = [];
  private failure: Error | undefined;

  /** @param program what the thread runs; sources that are not compiled have to name it */
  constructor(
    rules: FileRules,
    facts: InputFacts,
    program = join(__dirname, 'file-check-thread.js'),
  ) {
    const blocks = Array.from({ length: blockCount }, () => new SharedArrayBuffer(blockBytes));
    this.blocks = blocks.map((block) => new Uint8Array(block));
    const workerData: ThreadInput = { rules, facts, blocks };
    this.thread = new Worker(program, { workerData });
    this.thread.on('message', (reply: ThreadReply) => this.waiting.shift()?.resolve(reply));
    this.thread.on('error', (error) => {
      this.fail(error);
    });
    this.thread.on('exit', () => {
      this.fail(new Error('The thread that checks the input file has ended early'));
    });
  }

  async add(chunk: Uint8Array): Promise<FoundErrors> {
    let found = nothingFound;
    for (let from = 0; from < chunk.length;) {
      const piece = chunk.subarray(from, from + blockBytes - this.filledBytes);
      this.blocks[this.filling]?.set(piece, this.filledBytes);
      this.filledBytes += piece.length;
      from += piece.length;
      if (this.filledBytes === blockBytes) {
        found = joined(found, await this.handOver());
      }
    }
    return found;
  }

  async end(): Promise<FileCheckEnd> {
    let found = await this.handOver();
    const last = this.request('end');
    for (const reply of this.replies) {
      found = joined(found, await reply);
    }
    const { findings, ...lastFound } = await last;
    if (findings === undefined) {
      throw new Error('The thread that checks the input file has not said what it found');
    }
    return { found: joined(found, lastFound), findings };
  }

  async close(): Promise<void> {
    await this.thread.terminate();
  }

  /** Gives the block to the thread, and resolves when the next one may be filled. */
  private async handOver(): Promise<FoundErrors> {
    this.replies.push(this.request({ block: this.filling, bytes: this.filledBytes }));
    this.filling = (this.filling + 1) % blockCount;
    this.filledBytes = 0;
    return this.replies.length < blockCount
      ? nothingFound
      : ((await this.replies.shift()) ?? nothingFound);
  }

  private request(request: ThreadRequest): Promise<ThreadReply> {
    const reply = new Promise<ThreadReply>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.failure !== undefined) {
        reject(this.failure);
      }
    });
    // Whoever looks at the reply meets the error.
    reply.catch(() => undefined);
    this.thread.postMessage(request);
    return reply;
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting.splice(0).forEach(({ reject }) => {
      reject(error);
    });
  }
}

interface PromiseParts {
  readonly resolve: (reply: ThreadReply) => void;
  readonly reject: (error: Error) => void;
}

function joined(left: FoundErrors, right: FoundErrors): FoundErrors {
  return {
    errorCount: left.errorCount + right.errorCount,
    errorLines: left.errorLines + right.errorLines,
  };
}
