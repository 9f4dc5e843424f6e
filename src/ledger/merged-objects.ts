/** Writes the objects that are made of the merged lines of several segments. */
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { isOutput } from '../domain/outcome';
import { totalUsage } from '../domain/usage';
import { StoreFault, type ObjectInfo, type ObjectStore } from '../storage/object-store';
import { mergedIndex, readMerged, type OpenSegment } from './merge';
import { encodeTail, segmentBytes, type SegmentLine, type SegmentSummary } from './segment';
import type { Seal, SealedObject } from './seal';

/** Writes one segment that holds the lines of several. Throws what {@link readMerged} throws. */
export async function writeCompacted(
  store: ObjectStore,
  key: string,
  segments: readonly OpenSegment[],
): Promise<OpenSegment> {
  const index = mergedIndex(segments);
  const linesBytes = segments.reduce((sum, segment) => sum + segment.summary.linesBytes, 0);
  let summary: SegmentSummary | undefined;
  async function* content(): AsyncGenerator<Buffer> {
    let linesCrc = 0;
    for await (const { bytes } of readMerged(store, segments)) {
      linesCrc = crc32(bytes, linesCrc);
      yield bytes;
    }
    const usage = totalUsage(segments.map((segment) => segment.summary));
    const encoded = encodeTail(key, index, { linesBytes, linesCrc, usage });
    summary = encoded.summary;
    yield encoded.tail;
  }
  const sizeBytes = segmentBytes(index.ordinals.length, linesBytes);
  await store.putStream(key, Readable.from(content(), { objectMode: false }), sizeBytes);
  if (summary === undefined) {
    throw new Error(`A compacted segment was stored before its end was reached [key=${key}]`);
  }
  return { key, summary, index };
}

/** Writes the ordered output and error object. Throws what {@link readMerged} throws. */
export async function writeSealed(
  store: ObjectStore,
  segments: readonly OpenSegment[],
  keys: { readonly output: string; readonly errors: string },
): Promise<Pick<Seal, 'output' | 'errors'>> {
  const output = sealedObject(keys.output, segments, (kind) => isOutput(kind));
  const errors = sealedObject(keys.errors, segments, (kind) => !isOutput(kind));
  const outputUpload = output && startUpload(store, output);
  const errorsUpload = errors && startUpload(store, errors);
  const uploads = [outputUpload, errorsUpload].filter((upload) => upload !== null);
  const pump = async (): Promise<void> => {
    for await (const { bytes, kind } of readMerged(store, segments)) {
      await writeTo(isOutput(kind) ? outputUpload?.target : errorsUpload?.target, bytes);
    }
    uploads.forEach(({ target }) => target.end());
  };
  const pumped = pump().catch((error: unknown) => {
    uploads.forEach(({ target }) => target.destroy(error as Error));
    throw error;
  });
  // The pump's error comes first: an upload that it cut only says that its stream was destroyed.
  const settled = await Promise.allSettled([pumped, ...uploads.map(({ done }) => done)]);
  for (const result of settled) {
    if (result.status === 'rejected') {
      throw result.reason;
    }
  }
  return {
    output: output && asStored(output, await outputUpload?.done),
    errors: errors && asStored(errors, await errorsUpload?.done),
  };
}

/**
 * The same, of lines that are no segment yet.
 *
 * @returns `undefined` when there is an object under one of the keys.
 */
export async function putSealed(
  store: ObjectStore,
  lines: readonly SegmentLine[],
  keys: { readonly output: string; readonly errors: string },
): Promise<Pick<Seal, 'output' | 'errors'> | undefined> {
  const ordered = lines.toSorted((a, b) => a.ordinal - b.ordinal);
  const put = async (key: string, some: readonly SegmentLine[]): Promise<SealedObject | null> => {
    const bytes = Buffer.concat(some.flatMap(({ pieces }) => pieces));
    const stored = await store.put(key, bytes, { ifAbsent: true });
    return stored === undefined ? null : { ...stored, key, lineCount: some.length };
  };
  const outputs = ordered.filter(({ kind }) => isOutput(kind));
  const failures = ordered.filter(({ kind }) => !isOutput(kind));
  const [output, errors] = await Promise.all([
    outputs.length > 0 ? put(keys.output, outputs) : null,
    failures.length > 0 ? put(keys.errors, failures) : null,
  ]);
  const isWhole = (output?.lineCount ?? 0) + (errors?.lineCount ?? 0) === lines.length;
  return isWhole ? { output, errors } : undefined;
}

interface Upload {
  readonly target: PassThrough;
  readonly done: Promise<ObjectInfo>;
}

function asStored(object: SealedObject, stored: ObjectInfo | undefined): SealedObject {
  if (stored?.sizeBytes !== object.sizeBytes) {
    throw new StoreFault(`A sealed object was not stored whole [key=${object.key}]`);
  }
  return { ...object, etag: stored.etag };
}

function startUpload(store: ObjectStore, { key, sizeBytes }: SealedObject): Upload {
  const target = new PassThrough();
  // Without a listener, an error that arrives between two writes would end the process.
  target.on('error', () => undefined);
  const done = store.putStream(key, target, sizeBytes).catch((error: unknown) => {
    target.destroy(error as Error);
    throw error;
  });
  return { target, done };
}

async function writeTo(target: PassThrough | undefined, bytes: Buffer): Promise<void> {
  if (target === undefined || target.destroyed) {
    throw target?.errored ?? new Error('The upload of a sealed object has ended early');
  }
  if (!target.write(bytes)) {
    await once(target, 'drain');
  }
}

/** What a sealed object will be; null when it would have no line. */
function sealedObject(
  key: string,
  segments: readonly OpenSegment[],
  belongs: (kind: number) => boolean,
): SealedObject | null {
  let lineCount = 0;
  let sizeBytes = 0;
  for (const { index } of segments) {
    index.kinds.forEach((kind, at) => {
      if (belongs(kind)) {
        lineCount += 1;
        sizeBytes += index.lengths[at] ?? 0;
      }
    });
  }
  return lineCount === 0 ? null : { key, sizeBytes, lineCount };
}
