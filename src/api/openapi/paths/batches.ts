import { batchListLimitDefault, batchListLimitMax } from '../../../domain/limits';
import type { BatchRequestRules } from '../../batches/create-batch.wire';
import { errors } from '../error-responses';
import {
  afterParameter,
  commonErrors,
  jsonBody,
  jsonErrors,
  limitParameter,
  ok,
  pathParameter,
  writeErrors,
} from '../parts';
import type { Operation, Parameter, Paths } from '../types';

const tags = ['Batches'];
const batchId = pathParameter('batch_id', 'The id of a batch.');
const ofThisBatch = { batch_id: '$response.body#/id' };

const idempotencyKey: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description:
    'Names what the client wants: repeats of a request with the same key make one batch. The same key with other parameters is refused.',
  schema: { type: 'string', pattern: '^[\\x20-\\x7e]{1,255}$' },
};

function create(rules: BatchRequestRules): Operation {
  return {
    operationId: 'createBatch',
    tags,
    summary: 'Create a batch',
    description:
      'Members that are not listed are ignored. An input file that is not valid fails the batch later; so does one that does not exist, unless the server is set to refuse it here.',
    parameters: [idempotencyKey],
    requestBody: jsonBody('CreateBatchRequest', {
      input_file_id: 'file-fe60c7ab0f9a83b1c2d94e8f7a6b5c4d',
      endpoint: rules.endpoints[0],
      completion_window: rules.completionWindows[0],
      metadata: { team: 'search' },
    }),
    responses: {
      ...ok('Batch', 'The batch.', {
        get: { operationId: 'getBatch', parameters: ofThisBatch },
        cancel: { operationId: 'cancelBatch', parameters: ofThisBatch },
      }),
      ...jsonErrors,
      ...errors(404, 429),
    },
  };
}

const list: Operation = {
  operationId: 'listBatches',
  tags,
  summary: 'List batches, newest first',
  parameters: [
    afterParameter,
    limitParameter({ limitDefault: batchListLimitDefault, limitMax: batchListLimitMax }),
  ],
  responses: { ...ok('BatchList', 'A page of batches.'), ...commonErrors },
};

const get: Operation = {
  operationId: 'getBatch',
  tags,
  summary: 'Get a batch',
  responses: { ...ok('Batch', 'The batch.'), ...commonErrors, ...errors(404) },
};

const cancel: Operation = {
  operationId: 'cancelBatch',
  tags,
  summary: 'Cancel a batch',
  description: 'What has been answered by then is kept. Repeating it does no harm.',
  responses: {
    ...ok('Batch', 'The batch, `cancelling` or `cancelled`.'),
    ...writeErrors,
    ...errors(404, 409),
  },
};

export function batchPaths(rules: BatchRequestRules): Paths {
  return {
    '/v1/batches': { get: list, post: create(rules) },
    '/v1/batches/{batch_id}': { parameters: [batchId], get },
    '/v1/batches/{batch_id}/cancel': { parameters: [batchId], post: cancel },
  };
}
