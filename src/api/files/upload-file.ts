import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FileRecord } from '../../domain/file';
import type { FileId, ProjectId } from '../../domain/ids';
import { makeFileId } from '../../domain/ids';
import { expiresAfterSecondsDefault } from '../../domain/limits';
import type { ApiDependencies } from '../dependencies';
import { ApiError } from '../http/api-error';
import { assertBatchFormat } from './batch-format';
import { filenameLengthMax, withoutFolders } from './filename';
import { probeContent } from './probe-content';
import { receiveForm, type ReceivedForm } from './receive-form';
import { reserveFile } from './reserve-file';
import { parseUploadFields } from './upload-form.wire';

interface StoredContent {
  readonly filename: string;
  readonly bytes: number;
  readonly looksLikeJsonLines: boolean;
}

/**
 * Receives an upload. The file exists once its record is written, which comes last; an upload that
 * breaks off or is refused leaves nothing behind.
 */
export async function uploadFile(
  projectId: ProjectId,
  request: IncomingMessage,
  dependencies: ApiDependencies,
): Promise<FileRecord> {
  const nowMs = dependencies.clock();
  const id = makeFileId(nowMs, dependencies.randomHex());
  const { fileBytesMax } = await dependencies.projects.limits(
    projectId,
    dependencies.settings.limits,
  );
  const upload = new Upload({ id, projectId, fileBytesMax }, dependencies);
  const record = await upload.receive(request, Math.floor(nowMs / 1000));
  await dependencies.files.create(record);
  return record;
}

class Upload {
  private isReserved = false;

  constructor(
    private readonly target: {
      readonly id: FileId;
      readonly projectId: ProjectId;
      readonly fileBytesMax: number;
    },
    private readonly dependencies: ApiDependencies,
  ) {}

  async receive(request: IncomingMessage, createdAt: number): Promise<FileRecord> {
    try {
      const form = await receiveForm(request, {
        fileField: 'file',
        idleTimeoutMs: this.dependencies.settings.idleTimeoutMs,
        storeFile: async (content, filename) => await this.storeContent(content, filename),
      });
      return {
        id: this.target.id,
        projectId: this.target.projectId,
        createdAt,
        ...toDescription(form, createdAt),
      };
    } catch (error) {
      if (this.isReserved) {
        await this.discard();
      }
      throw error;
    }
  }

  private async storeContent(
    content: Readable,
    filename: string | undefined,
  ): Promise<StoredContent> {
    const { id, projectId, fileBytesMax } = this.target;
    const probe = probeContent(content, fileBytesMax);
    try {
      await reserveFile(projectId, id, this.dependencies);
      this.isReserved = true;
      await this.dependencies.files.putContent(projectId, id, probe);
    } catch (error) {
      probe.destroy(error as Error);
      throw error;
    }
    return {
      filename: withoutFolders(filename ?? ''),
      bytes: probe.sizeBytes,
      looksLikeJsonLines: probe.looksLikeJsonLines,
    };
  }

  private async discard(): Promise<void> {
    const { id, projectId } = this.target;
    try {
      await this.dependencies.files.discardContent(projectId, id);
    } catch (error) {
      this.dependencies.logger.warn({ fileId: id, err: error }, 'content not discarded');
    }
  }
}

type Description = Pick<FileRecord, 'bytes' | 'expiresAt' | 'filename' | 'purpose'>;

function toDescription(form: ReceivedForm<StoredContent>, createdAt: number): Description {
  const { file } = form;
  if (file === undefined) {
    throw new ApiError('missingParameter', "Missing required parameter: 'file'.", {
      param: 'file',
    });
  }
  const { purpose, expiresAfterSeconds } = parseUploadFields(form.fields);
  checkContent(file, purpose);
  // OpenAI Files reference: batch files expire after 30 days, others are kept.
  const seconds =
    expiresAfterSeconds ?? (purpose === 'batch' ? expiresAfterSecondsDefault : undefined);
  return {
    bytes: file.bytes,
    expiresAt: seconds === undefined ? null : createdAt + seconds,
    filename: file.filename,
    purpose,
  };
}

function checkContent(file: StoredContent, purpose: FileRecord['purpose']): void {
  const { length } = file.filename;
  if (length > filenameLengthMax) {
    throw new ApiError(
      'stringTooLong',
      `Invalid 'file': filename too long. Expected a filename with maximum length ${filenameLengthMax}, but got a filename with length ${length} instead.`,
      { param: 'file' },
    );
  }
  if (file.bytes === 0) {
    throw new ApiError('invalidRequest', 'File is empty.', { param: 'file' });
  }
  assertBatchFormat(purpose, file);
}
