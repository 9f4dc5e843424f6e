import { Controller, HttpCode, Inject, Param, Post, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { ProjectId } from '../../domain/ids';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { JsonBody } from '../http/json-body';
import { Project } from '../http/project';
import { addPart } from './add-part';
import { cancelUpload } from './cancel-upload';
import { completeUpload } from './complete-upload';
import { createUpload } from './create-upload';
import {
  parseCompleteRequest,
  parseUploadRequest,
  toUploadWire,
  type PartWire,
  type UploadWire,
} from './upload.wire';

@Controller('v1/uploads')
export class UploadsController {
  constructor(@Inject(API_DEPENDENCIES) private readonly dependencies: ApiDependencies) {}

  @Post()
  @HttpCode(200)
  async create(@Project() projectId: ProjectId, @JsonBody() body: unknown): Promise<UploadWire> {
    const request = parseUploadRequest(body);
    return toUploadWire(await createUpload(projectId, request, this.dependencies));
  }

  @Post(':uploadId/parts')
  @HttpCode(200)
  async addPart(
    @Project() projectId: ProjectId,
    @Param('uploadId') uploadId: string,
    @Req() request: Request,
  ): Promise<PartWire> {
    return await addPart({ projectId, uploadId }, request, this.dependencies);
  }

  @Post(':uploadId/complete')
  @HttpCode(200)
  async complete(
    @Project() projectId: ProjectId,
    @Param('uploadId') uploadId: string,
    @JsonBody() body: unknown,
  ): Promise<UploadWire> {
    const request = parseCompleteRequest(body);
    const ref = { projectId, uploadId };
    return toUploadWire(await completeUpload(ref, request, this.dependencies));
  }

  @Post(':uploadId/cancel')
  @HttpCode(200)
  async cancel(
    @Project() projectId: ProjectId,
    @Param('uploadId') uploadId: string,
  ): Promise<UploadWire> {
    return toUploadWire(await cancelUpload(projectId, uploadId, this.dependencies));
  }
}
