import {
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  Post,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import type { Request, Response } from 'express';
import type { FileRecord } from '../../domain/file';
import { isFileId, type ProjectId } from '../../domain/ids';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { toListWire, type ListWire, type QueryString } from '../http/list.wire';
import { Project } from '../http/project';
import { parseFileListQuery } from './file-list.wire';
import { fileNotFound } from './file-not-found';
import { toFileWire, type DeletedFileWire, type FileWire } from './file.wire';
import { listFiles } from './list-files';
import { sendContent } from './send-content';
import { uploadFile } from './upload-file';

@Controller('v1/files')
export class FilesController {
  constructor(@Inject(API_DEPENDENCIES) private readonly dependencies: ApiDependencies) {}

  @Post()
  @HttpCode(200)
  async create(@Project() projectId: ProjectId, @Req() request: Request): Promise<FileWire> {
    return toFileWire(await uploadFile(projectId, request, this.dependencies));
  }

  @Get()
  async list(
    @Project() projectId: ProjectId,
    @Query() query: QueryString,
  ): Promise<ListWire<FileWire>> {
    const { files } = this.dependencies;
    const page = await listFiles({ files, projectId }, parseFileListQuery(query), this.now());
    return toListWire({ ...page, items: page.items.map(toFileWire) });
  }

  @Get(':fileId')
  async get(@Project() projectId: ProjectId, @Param('fileId') fileId: string): Promise<FileWire> {
    return toFileWire(await this.find(projectId, fileId));
  }

  @Get(':fileId/content')
  async content(
    @Project() projectId: ProjectId,
    @Param('fileId') fileId: string,
    @Req() request: Request,
    @Res() response: Response,
  ): Promise<void> {
    const file = await this.find(projectId, fileId);
    await sendContent(file, { request, response }, this.dependencies);
  }

  /** A batch that still reads the file goes on: its bytes stay until then. */
  @Delete(':fileId')
  async delete(
    @Project() projectId: ProjectId,
    @Param('fileId') fileId: string,
  ): Promise<DeletedFileWire> {
    const file = await this.find(projectId, fileId);
    await this.dependencies.files.delete(projectId, file.id);
    return { id: file.id, object: 'file', deleted: true };
  }

  private async find(projectId: ProjectId, fileId: string): Promise<FileRecord> {
    const file = isFileId(fileId)
      ? await this.dependencies.files.get(projectId, fileId, this.now())
      : undefined;
    if (file === undefined) {
      throw fileNotFound(fileId);
    }
    return file;
  }

  /** Unix seconds. */
  private now(): number {
    return Math.floor(this.dependencies.clock() / 1000);
  }
}
