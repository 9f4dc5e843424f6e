import { Controller, Get, Inject, Param } from '@nestjs/common';
import { API_DEPENDENCIES, type ApiDependencies } from '../dependencies';
import { ApiError, quoted } from '../http/api-error';
import { toModelWire, type ModelListWire, type ModelWire } from './model.wire';

@Controller('v1/models')
export class ModelsController {
  constructor(@Inject(API_DEPENDENCIES) private readonly dependencies: ApiDependencies) {}

  @Get()
  list(): ModelListWire {
    return { object: 'list', data: this.dependencies.models.map(toModelWire) };
  }

  /** Names hold slashes, which clients may or may not encode; one behind the path says nothing. */
  @Get('*name')
  get(@Param('name') segments: readonly string[]): ModelWire {
    const name = (segments.at(-1) === '' ? segments.slice(0, -1) : segments).join('/');
    if (!this.dependencies.models.includes(name)) {
      throw new ApiError('modelNotFound', `The model '${quoted(name)}' does not exist`, {
        param: 'model',
      });
    }
    return toModelWire(name);
  }
}
