import { Controller, Get, Headers, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import type { ProjectId } from '../../domain/ids';
import { batchListLimitDefault, batchListLimitMax } from '../../domain/limits';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { JsonBody } from '../http/json-body';
import { parseListQuery, toListWire, type ListWire, type QueryString } from '../http/list.wire';
import { Project } from '../http/project';
import { toBatchWire, type BatchWire } from './batch.wire';
import { cancelBatch } from './cancel-batch';
import { createBatch } from './create-batch';
import { parseBatchRequest } from './create-batch.wire';
import { parseCreateRepeat, type Headers as RequestHeaders } from './create-repeat.wire';
import { findBatch, listBatches, viewBatch } from './view-batch';

const listLimits = { limitDefault: batchListLimitDefault, limitMax: batchListLimitMax };

@Controller('v1/batches')
export class BatchesController {
  constructor(@Inject(API_DEPENDENCIES) private readonly dependencies: ApiDependencies) {}

  @Post()
  @HttpCode(200)
  async create(
    @Project() projectId: ProjectId,
    @Headers() headers: RequestHeaders,
    @JsonBody() body: unknown,
  ): Promise<BatchWire> {
    const { endpoints, settings } = this.dependencies;
    const repeat = parseCreateRepeat(headers);
    const request = parseBatchRequest(body, { endpoints, ...settings });
    return toBatchWire(await createBatch(projectId, { request, repeat }, this.dependencies));
  }

  @Get()
  async list(
    @Project() projectId: ProjectId,
    @Query() query: QueryString,
  ): Promise<ListWire<BatchWire>> {
    const page = await listBatches(this.dependencies, projectId, parseListQuery(query, listLimits));
    return toListWire({ ...page, items: page.items.map(toBatchWire) });
  }

  @Get(':batchId')
  async get(
    @Project() projectId: ProjectId,
    @Param('batchId') batchId: string,
  ): Promise<BatchWire> {
    const { batches } = this.dependencies;
    const record = await findBatch({ batches, projectId }, batchId);
    return toBatchWire(await viewBatch(this.dependencies, record));
  }

  @Post(':batchId/cancel')
  @HttpCode(200)
  async cancel(
    @Project() projectId: ProjectId,
    @Param('batchId') batchId: string,
  ): Promise<BatchWire> {
    return toBatchWire(await cancelBatch(projectId, batchId, this.dependencies));
  }
}
