import { errors } from '../error-responses';
import { commonErrors, ok, pathParameter } from '../parts';
import type { Operation, Paths } from '../types';

const tags = ['Models'];

const list: Operation = {
  operationId: 'listModels',
  tags,
  summary: 'List models',
  responses: { ...ok('ModelList', 'All models.'), ...commonErrors },
};

const get: Operation = {
  operationId: 'getModel',
  tags,
  summary: 'Get a model',
  responses: { ...ok('Model', 'The model.'), ...commonErrors, ...errors(404) },
};

export const modelPaths: Paths = {
  '/v1/models': { get: list },
  '/v1/models/{model}': {
    parameters: [
      pathParameter('model', 'The id of a model; slashes in it may be encoded as %2F, or not.'),
    ],
    get,
  },
};
