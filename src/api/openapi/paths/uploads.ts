import { uploadPartBytesMax } from '../../../domain/limits';
import { errors } from '../error-responses';
import {
  binary,
  writeErrors,
  formBody,
  formErrors,
  jsonBody,
  jsonErrors,
  ok,
  pathParameter,
} from '../parts';
import type { Link, Operation, Paths } from '../types';

const tags = ['Uploads'];
const uploadId = pathParameter('upload_id', 'The id of an upload.');

const ofThisUpload = { upload_id: '$response.body#/id' };
const partOfThisUpload = { upload_id: '$response.body#/upload_id' };
const thisPart: Link['requestBody'] = { part_ids: ['$response.body#/id'] };

const create: Operation = {
  operationId: 'createUpload',
  tags,
  summary: 'Begin a file that arrives in parts',
  requestBody: jsonBody('CreateUploadRequest', {
    filename: 'requests.jsonl',
    purpose: 'batch',
    bytes: 2_147_483_648,
    mime_type: 'application/jsonl',
  }),
  responses: {
    ...ok('Upload', 'The upload.', {
      addPart: { operationId: 'addUploadPart', parameters: ofThisUpload },
      cancel: { operationId: 'cancelUpload', parameters: ofThisUpload },
    }),
    ...jsonErrors,
  },
};

const addPart: Operation = {
  operationId: 'addUploadPart',
  tags,
  summary: 'Add a part',
  description: `Parts have at most ${uploadPartBytesMax} bytes. They may arrive at once and in any order.`,
  requestBody: formBody({ type: 'object', properties: { data: binary }, required: ['data'] }),
  responses: {
    ...ok('UploadPart', 'The part.', {
      complete: {
        operationId: 'completeUpload',
        parameters: partOfThisUpload,
        requestBody: thisPart,
      },
    }),
    ...formErrors,
    ...errors(404),
  },
};

const complete: Operation = {
  operationId: 'completeUpload',
  tags,
  summary: 'Put the parts together',
  description:
    'The parts must have as many bytes as was announced. Repeating it with the same parts does no harm.',
  requestBody: jsonBody('CompleteUploadRequest', {
    part_ids: ['part_fe60c7ab0f9a83b1c2d94e8f7a6b5c4d'],
  }),
  responses: {
    ...ok('Upload', 'The upload, with its file.'),
    ...jsonErrors,
    ...errors(404),
  },
};

const cancel: Operation = {
  operationId: 'cancelUpload',
  tags,
  summary: 'Give an upload up',
  responses: { ...ok('Upload', 'The upload, cancelled.'), ...writeErrors, ...errors(404) },
};

export const uploadPaths: Paths = {
  '/v1/uploads': { post: create },
  '/v1/uploads/{upload_id}/parts': { parameters: [uploadId], post: addPart },
  '/v1/uploads/{upload_id}/complete': { parameters: [uploadId], post: complete },
  '/v1/uploads/{upload_id}/cancel': { parameters: [uploadId], post: cancel },
};
