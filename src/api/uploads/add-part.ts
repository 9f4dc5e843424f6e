import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { makePartId, type PartId, type ProjectId } from '../../domain/ids';
import { uploadPartBytesMax, uploadPartsMax } from '../../domain/limits';
import type { UploadRecord, UploadRef } from '../../domain/upload';
import type { ApiDependencies } from '../dependencies';
import { probeContent } from '../files/probe-content';
import { receiveForm } from '../files/receive-form';
import { ApiError } from '../http/api-error';
import { assertPending, findUpload } from './find-upload';
import type { PartWire } from './upload.wire';

/** Name of the part in the form that holds the bytes (OpenAI Uploads reference). */
const dataField = 'data';

/**
 * Receives a part of an upload. Parts may arrive at once and in any order. One that breaks off, is
 * refused or comes too late leaves nothing behind.
 */
export async function addPart(
  ref: { readonly projectId: ProjectId; readonly uploadId: string },
  request: IncomingMessage,
  dependencies: ApiDependencies,
): Promise<PartWire> {
  const { uploads, clock, randomHex } = dependencies;
  const nowMs = clock();
  const upload = await findUpload(uploads, ref.projectId, ref.uploadId);
  assertPending(upload, toSeconds(nowMs));
  await assertRoom(upload, dependencies);
  const partId = makePartId(nowMs, randomHex());
  await new Part(upload, partId, dependencies).receive(request);
  return {
    id: partId,
    object: 'upload.part',
    created_at: toSeconds(nowMs),
    upload_id: upload.id,
  };
}

/** A part that is sent twice takes room twice; whoever sends far more than announced is stopped. */
async function assertRoom(upload: UploadRecord, { uploads }: ApiDependencies): Promise<void> {
  const sizes = await uploads.partSizes({ projectId: upload.projectId, uploadId: upload.id });
  if (sizes.size >= uploadPartsMax) {
    throw new ApiError('invalidRequest', `An upload has at most ${uploadPartsMax} parts.`);
  }
  const storedBytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  if (storedBytes > 2 * upload.bytes) {
    throw new ApiError(
      'invalidRequest',
      `The parts of this upload hold ${storedBytes} bytes already, but it was created for ${upload.bytes} bytes.`,
    );
  }
}

class Part {
  private readonly ref: UploadRef;
  private isStored = false;

  constructor(
    private readonly upload: UploadRecord,
    private readonly id: PartId,
    private readonly dependencies: ApiDependencies,
  ) {
    this.ref = { projectId: upload.projectId, uploadId: upload.id };
  }

  async receive(request: IncomingMessage): Promise<void> {
    const { settings, uploads, clock } = this.dependencies;
    try {
      const form = await receiveForm(request, {
        fileField: dataField,
        idleTimeoutMs: settings.idleTimeoutMs,
        storeFile: async (content) => await this.store(content),
      });
      assertData(form.file);
      // It may have been completed or cancelled while the part was on its way.
      const upload = await findUpload(uploads, this.ref.projectId, this.ref.uploadId);
      assertPending(upload, toSeconds(clock()));
    } catch (error) {
      if (this.isStored) {
        await this.discard();
      }
      throw error;
    }
  }

  /** The bytes that the part has. */
  private async store(content: Readable): Promise<number> {
    const probe = probeContent(content, Math.min(uploadPartBytesMax, this.upload.bytes));
    await this.dependencies.uploads.putPart(this.ref, this.id, probe);
    this.isStored = true;
    return probe.sizeBytes;
  }

  private async discard(): Promise<void> {
    const { uploads, logger } = this.dependencies;
    try {
      await uploads.removePart(this.ref, this.id);
    } catch (error) {
      logger.warn({ uploadId: this.ref.uploadId, err: error }, 'part not discarded');
    }
  }
}

function assertData(sizeBytes: number | undefined): void {
  if (sizeBytes === undefined) {
    throw new ApiError('missingParameter', `Missing required parameter: '${dataField}'.`, {
      param: dataField,
    });
  }
  if (sizeBytes === 0) {
    throw new ApiError('invalidRequest', 'The part is empty.', { param: dataField });
  }
}

function toSeconds(ms: number): number {
  return Math.floor(ms / 1000);
}
