/**
 * Makes a file out of the parts of an upload.
 *
 * Whoever repeats a complete with the same parts gets the same file: clients repeat one that took
 * too long, perhaps while it still runs. So everything is checked first; then one compare-and-swap
 * fixes the id of the file, its time and the order of the parts; what follows can be done by several
 * at once, and again after a crash. The parts go last.
 */
import { createHash } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { makeFileId, type PartId, type ProjectId } from '../../domain/ids';
import { fileOf, statusAt, type UploadRecord, type UploadRef } from '../../domain/upload';
import type { UploadStore } from '../../storage/upload-store';
import type { ApiDependencies } from '../dependencies';
import { assertBatchFormat, isNamedAsJsonLines } from '../files/batch-format';
import { ContentProbe } from '../files/content-probe';
import { reserveFile } from '../files/reserve-file';
import { ApiError } from '../http/api-error';
import { assertPending, findUpload, uploadNotFound, wrongStatus } from './find-upload';
import { noSuchPart, type CompleteRequest } from './upload.wire';

/** What is read of the first part to see whether it begins like JSON lines. */
const sniffedBytesMax = 65_536;

interface Part {
  readonly id: PartId;
  readonly sizeBytes: number;
}

export async function completeUpload(
  { projectId, uploadId }: { readonly projectId: ProjectId; readonly uploadId: string },
  request: CompleteRequest,
  dependencies: ApiDependencies,
): Promise<UploadRecord> {
  const { uploads } = dependencies;
  const upload = await findUpload(uploads, projectId, uploadId);
  try {
    const begun = isCompletedAs(upload, request)
      ? upload
      : await begin(upload, request, dependencies);
    return await finish(begun, dependencies);
  } catch (error) {
    // Somebody else who completes the same has taken the parts away.
    const now = await uploads.get(refOf(upload));
    if (now?.status === 'completed' && isCompletedAs(now, request)) {
      return now;
    }
    throw error;
  }
}

/** Checks the request and fixes the file. */
async function begin(
  upload: UploadRecord,
  request: CompleteRequest,
  dependencies: ApiDependencies,
): Promise<UploadRecord> {
  const { uploads, files, clock, randomHex } = dependencies;
  const nowMs = clock();
  const at = Math.floor(nowMs / 1000);
  assertPending(upload, at);
  await check(upload, request, dependencies);
  const fileId = makeFileId(nowMs, randomHex());
  await reserveFile(upload.projectId, fileId, dependencies);
  const completion = { partIds: request.partIds, fileId, at };
  await files.announce(fileOf(upload, completion));
  const begun = await uploads.apply(refOf(upload), { type: 'completing', ...completion });
  if (begun?.completion?.fileId !== fileId) {
    // Somebody else was faster, or a cancel was.
    await files.discardContent(upload.projectId, fileId);
  }
  if (begun === undefined) {
    throw uploadNotFound(upload.id);
  }
  if (!isCompletedAs(begun, request)) {
    throw wrongStatus(begun, statusAt(begun, at));
  }
  return begun;
}

/** Is being completed, or was, with these parts in this order. */
function isCompletedAs(
  { status, completion }: UploadRecord,
  { partIds }: CompleteRequest,
): boolean {
  return (
    (status === 'completing' || status === 'completed') &&
    completion?.partIds.length === partIds.length &&
    completion.partIds.every((id, index) => id === partIds[index])
  );
}

async function check(
  upload: UploadRecord,
  { partIds, md5 }: CompleteRequest,
  { uploads }: ApiDependencies,
): Promise<void> {
  const parts = await partsOf(upload, partIds, uploads);
  const bytes = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (bytes !== upload.bytes) {
    throw new ApiError(
      'invalidValue',
      `Invalid 'part_ids': the parts have ${bytes} bytes in total, but the upload was created for ${upload.bytes} bytes.`,
      { param: 'part_ids' },
    );
  }
  await assertFormat(upload, parts, uploads);
  if (md5 !== undefined) {
    await assertMd5(md5, upload, { partIds, uploads });
  }
}

async function partsOf(
  upload: UploadRecord,
  partIds: readonly PartId[],
  uploads: UploadStore,
): Promise<Part[]> {
  const sizes = await uploads.partSizes(refOf(upload));
  return partIds.map((id) => {
    const sizeBytes = sizes.get(id);
    if (sizeBytes === undefined) {
      throw noSuchPart(id);
    }
    return { id, sizeBytes };
  });
}

/** The beginning of the first part decides where the name does not. */
async function assertFormat(
  { purpose, filename, ...upload }: UploadRecord,
  [first]: readonly Part[],
  uploads: UploadStore,
): Promise<void> {
  if (purpose !== 'batch' || isNamedAsJsonLines(filename) || first === undefined) {
    return;
  }
  const range = { offset: 0, length: Math.min(first.sizeBytes, sniffedBytesMax) };
  const beginning = await uploads.readPart(refOf(upload), first.id, range);
  const probe = new ContentProbe(sniffedBytesMax);
  probe.resume().end(beginning);
  await finished(probe);
  assertBatchFormat(purpose, { filename, looksLikeJsonLines: probe.looksLikeJsonLines });
}

async function assertMd5(
  expected: string,
  upload: UploadRecord,
  { partIds, uploads }: { readonly partIds: readonly PartId[]; readonly uploads: UploadStore },
): Promise<void> {
  const hash = createHash('md5');
  for (const id of partIds) {
    const content = await uploads.openPart(refOf(upload), id);
    if (content === undefined) {
      throw noSuchPart(id);
    }
    for await (const chunk of content as AsyncIterable<Buffer>) {
      hash.update(chunk);
    }
  }
  const actual = hash.digest('hex');
  if (actual !== expected) {
    throw new ApiError(
      'invalidValue',
      `Invalid 'md5': the parts in this order have the checksum ${actual}.`,
      { param: 'md5' },
    );
  }
}

async function finish(
  upload: UploadRecord,
  { uploads, files }: ApiDependencies,
): Promise<UploadRecord> {
  const { completion } = upload;
  if (upload.status === 'completed' || completion === null) {
    return upload;
  }
  const ref = refOf(upload);
  const file = fileOf(upload, completion);
  const parts = await partsOf(upload, completion.partIds, uploads);
  await uploads.assemble(ref, file.id, parts);
  const now = await uploads.get(ref);
  if (now?.status !== 'completing' && now?.status !== 'completed') {
    // It took so long that a sweep has given the upload up; what was assembled is on the agenda.
    throw now === undefined ? uploadNotFound(upload.id) : wrongStatus(now, now.status);
  }
  if (!(await files.publish(file))) {
    // Somebody was faster, and the file is deleted already: its bytes have just come back.
    await files.delete(file.projectId, file.id);
  }
  await uploads.apply(ref, { type: 'completed' });
  await uploads.removeParts(ref);
  return { ...upload, status: 'completed' };
}

function refOf(upload: Pick<UploadRecord, 'id' | 'projectId'>): UploadRef {
  return { projectId: upload.projectId, uploadId: upload.id };
}
