/** Reads a batch's input file once, checks every line, and plans its shards. */
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { Context } from '@temporalio/activity';
import type { BatchError, BatchRecord } from '../src/domain/batch';
import { batchErrors } from '../src/domain/error-codes';
import type { FileRecord } from '../src/domain/file';
import { isFileId } from '../src/domain/ids';
import { batchKeys } from '../src/domain/object-keys';
import type { ProjectLimits } from '../src/domain/project';
import { refOf, type BatchRef } from '../src/domain/workflow-contract';
import { MissingObject, type ActivityDeps } from './deps';
import type { FoundErrors } from './file-check';
import type { InputFindings } from './input-check';

/** Heartbeat details of whoever reads. */
export interface ReadProgress {
  /** Unless it reads. */
  step?: string;
  bytesRead: number;
  bytesTotal: number;
  errors: number;
}

/** The input file of a batch, or why it is none. */
export async function inputFile(
  { files }: ActivityDeps,
  { projectId, inputFileId, id }: BatchRecord,
): Promise<
  | { readonly file: FileRecord; readonly problem?: undefined }
  | { readonly file?: undefined; readonly problem: Omit<BatchError, 'line'> }
> {
  const file = isFileId(inputFileId) ? await files.getUsed(projectId, inputFileId, id) : undefined;
  if (file === undefined) {
    return { problem: batchErrors.fileNotFound(inputFileId) };
  }
  return file.purpose === 'batch' ? { file } : { problem: batchErrors.wrongPurpose(file.purpose) };
}

/** `undefined` when the batch ended, and it was told. */
export async function readInput(
  deps: ActivityDeps,
  input: {
    readonly batch: BatchRecord;
    readonly file: FileRecord;
    readonly limits: ProjectLimits;
    readonly progress: ReadProgress;
    /** Tells that the batch has ended, and the file need not be read on. */
    readonly ended?: AbortSignal | undefined;
    /** Gets what is read. */
    readonly kept?: Buffer[] | undefined;
  },
): Promise<InputFindings | undefined> {
  const { batch, file, limits, progress, ended, kept } = input;
  const ref = refOf(batch);
  const content = await deps.files.openContent(batch.projectId, file.id);
  if (content === undefined) {
    throw new MissingObject('input file', ref);
  }
  const { endpoint } = batch;
  const rules = {
    endpoint,
    models: [...deps.routes.values()]
      .filter(({ endpoints }) => endpoints.has(endpoint))
      .map(({ model }) => model),
    limits,
    mixedModels: deps.settings.mixedModels,
  };
  const check = deps.openFileCheck(rules, {
    fileBytes: file.bytes,
    hashKey: [hashKeyHalf(deps.randomHex()), hashKeyHalf(deps.randomHex())],
  });
  const errors = new ErrorsObject(deps, ref);
  try {
    for await (const chunk of content as AsyncIterable<Buffer>) {
      // The worker is told to stop: another one starts the pass again.
      Context.current().cancellationSignal.throwIfAborted();
      if (ended?.aborted === true) {
        return undefined;
      }
      kept?.push(chunk);
      const found = await check.add(chunk);
      await errors.write(found);
      progress.bytesRead += chunk.length;
      progress.errors += found.errorCount;
    }
    const { found, findings } = await check.end();
    await errors.write(found);
    await errors.close();
    return findings;
  } finally {
    await check.close();
    content.destroy();
    errors.destroy();
  }
}

/** The complete list of bad lines, one JSON object on a line; no object while there is none. */
class ErrorsObject {
  private stream: PassThrough | undefined;
  private stored: Promise<unknown> | undefined;

  constructor(
    private readonly deps: ActivityDeps,
    private readonly ref: BatchRef,
  ) {}

  async write({ errorLines }: FoundErrors): Promise<void> {
    for (const lines of errorLines) {
      await this.writeLines(lines);
    }
  }

  private async writeLines(lines: Uint8Array): Promise<void> {
    const stream = (this.stream ??= this.open());
    if (stream.destroyed) {
      // It would never drain.
      throw stream.errored ?? new Error('The list of bad lines has ended early');
    }
    if (!stream.write(lines)) {
      await once(stream, 'drain');
    }
  }

  async close(): Promise<void> {
    this.stream?.end();
    await this.stored;
  }

  /** Leaves nothing behind when the list is not complete. */
  destroy(): void {
    this.stream?.destroy();
  }

  private open(): PassThrough {
    const stream = new PassThrough();
    const key = batchKeys(this.ref.projectId, this.ref.batchId).errors;
    this.stored = this.deps.store.putStream(key, stream);
    // Whoever writes next, or closes, meets the error.
    this.stored.catch((error: unknown) => stream.destroy(error as Error));
    stream.on('error', () => undefined);
    return stream;
  }
}

function hashKeyHalf(randomHex: string): bigint {
  return BigInt(`0x${randomHex.slice(0, 16)}`);
}
