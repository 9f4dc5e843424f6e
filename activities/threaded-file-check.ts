/**
 * Checks an input file in a thread of its own.
 *
 * A line may be written so that parsing it takes a second, and a large file takes seconds whatever is
 * in it; a process that checked it in its only thread would not heartbeat meanwhile. The bytes go
 * there and back in three blocks: while the thread has two of them, the third is filled. They change
 * hands instead of being shared, because copying to and from shared memory is several times slower.
 */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import {
  BlockingFileCheck,
  joined,
  nothingFound,
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
}

/** The next bytes of the file, whose buffer is handed over with them; or the file has ended. */
export type ThreadRequest = Uint8Array<ArrayBuffer> | 'end';

/** One for each request, in their order. */
export interface ThreadReply {
  readonly found: FoundErrors;
  /** The buffer of the request, given back. */
  readonly block?: ArrayBuffer;
  readonly findings?: InputFindings;
}

/** Large enough that handing over is cheap: it takes 0.1 ms, and checking so much 0.5 ms. */
const blockBytes = 524_288;
const blockCount = 3;
/**
 * What is told of bad lines may be two hundred times as long as they are. So blocks are filled a
 * little at first and after such a reply, and twice as far after each other one.
 */
const filledBytesMin = 8_192;
const errorBytesMax = 262_144;

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

export class ThreadedFileCheck implements FileCheck {
  private readonly thread: Worker;
  /** Blocks that neither the thread has nor is being filled. */
  private readonly spareBlocks: ArrayBuffer[];
  private filling = new Uint8Array(blockBytes);
  private filledBytes = 0;
  /** How far blocks are filled. */
  private filledBytesMax = filledBytesMin;
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
    this.spareBlocks = Array.from({ length: blockCount - 1 }, () => new ArrayBuffer(blockBytes));
    const workerData: ThreadInput = { rules, facts };
    // Bad lines are told in objects that live for a moment: a larger nursery would only hold more.
    const resourceLimits = { maxYoungGenerationSizeMb: 8 };
    this.thread = new Worker(program, { workerData, resourceLimits });
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
      const piece = chunk.subarray(from, from + this.filledBytesMax - this.filledBytes);
      this.filling.set(piece, this.filledBytes);
      this.filledBytes += piece.length;
      from += piece.length;
      if (this.filledBytes === this.filledBytesMax) {
        found = joined(found, await this.handOver());
      }
    }
    return found;
  }

  async end(): Promise<FileCheckEnd> {
    this.send(this.filling.subarray(0, this.filledBytes));
    this.send('end');
    let found = nothingFound;
    for (const reply of this.replies) {
      const { found: more, findings } = await reply;
      found = joined(found, more);
      if (findings !== undefined) {
        return { found, findings };
      }
    }
    throw new Error('The thread that checks the input file has not said what it found');
  }

  async close(): Promise<void> {
    await this.thread.terminate();
  }

  /** Gives the block to the thread, and resolves when there is another one to be filled. */
  private async handOver(): Promise<FoundErrors> {
    this.send(this.filling.subarray(0, this.filledBytes));
    const reply = this.spareBlocks.length === 0 ? await this.replies.shift() : undefined;
    const block = reply?.block ?? this.spareBlocks.pop() ?? new ArrayBuffer(blockBytes);
    this.filling = new Uint8Array(block);
    this.filledBytes = 0;
    const found = reply?.found ?? nothingFound;
    this.filledBytesMax =
      sizeOf(found) > errorBytesMax
        ? filledBytesMin
        : Math.min(blockBytes, 2 * this.filledBytesMax);
    return found;
  }

  private send(request: ThreadRequest): void {
    const reply = new Promise<ThreadReply>((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      if (this.failure !== undefined) {
        reject(this.failure);
      }
    });
    // Whoever looks at the reply meets the error.
    reply.catch(() => undefined);
    this.replies.push(reply);
    this.thread.postMessage(request, request === 'end' ? [] : [request.buffer]);
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.waiting.splice(0).forEach(({ reject }) => {
      reject(error);
    });
  }
}

function sizeOf({ errorLines }: FoundErrors): number {
  return errorLines.reduce((sum, { length }) => sum + length, 0);
}

interface PromiseParts {
  readonly resolve: (reply: ThreadReply) => void;
  readonly reject: (error: Error) => void;
}
