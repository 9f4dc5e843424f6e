import { uploadPurposes } from '../../../domain/file';
import { fileListLimitMax } from '../../../domain/limits';
import { toJsonSchema } from '../json-schema';
import { expiresAfterSchema } from '../../http/expires-after.wire';
import { errors } from '../error-responses';
import { headerRefs } from '../headers';
import {
  afterParameter,
  binary,
  commonErrors,
  formBody,
  formErrors,
  limitParameter,
  ok,
  pathParameter,
  writeErrors,
} from '../parts';
import type { Operation, Parameter, Paths, ResponseObject } from '../types';

const tags = ['Files'];
const fileId = pathParameter('file_id', 'The id of a file.');

const create: Operation = {
  operationId: 'createFile',
  tags,
  summary: 'Upload a file',
  description:
    'The parts may come in any order. The members of `expires_after` may be written with a dot, too: `expires_after.seconds`. A file with purpose `batch` expires after 30 days by default, others are kept.',
  requestBody: formBody(formSchema()),
  responses: {
    ...ok('File', 'The file.', {
      get: { operationId: 'getFile', parameters: { file_id: '$response.body#/id' } },
      content: { operationId: 'getFileContent', parameters: { file_id: '$response.body#/id' } },
      delete: { operationId: 'deleteFile', parameters: { file_id: '$response.body#/id' } },
    }),
    ...formErrors,
  },
};

const list: Operation = {
  operationId: 'listFiles',
  tags,
  summary: 'List files',
  parameters: [
    afterParameter,
    limitParameter({ limitDefault: fileListLimitMax, limitMax: fileListLimitMax }),
    {
      name: 'order',
      in: 'query',
      description: 'By the time of creation.',
      allowEmptyValue: true,
      schema: { type: 'string', enum: ['asc', 'desc'], default: 'desc' },
    },
    {
      name: 'purpose',
      in: 'query',
      description: 'Only files with this purpose.',
      schema: { type: 'string' },
    },
  ],
  responses: { ...ok('FileList', 'A page of files.'), ...commonErrors },
};

const get: Operation = {
  operationId: 'getFile',
  tags,
  summary: 'Get a file',
  responses: { ...ok('File', 'The file.'), ...commonErrors, ...errors(404) },
};

const remove: Operation = {
  operationId: 'deleteFile',
  tags,
  summary: 'Delete a file',
  description: 'A batch that still reads the file goes on.',
  responses: { ...ok('DeletedFile', 'The file is deleted.'), ...writeErrors, ...errors(404) },
};

const content: Operation = {
  operationId: 'getFileContent',
  tags,
  summary: 'Download a file',
  description:
    'Files with purpose `assistants` or `user_data` are not handed out. HEAD tells size and name.',
  parameters: [
    conditional(
      'Range',
      'One range of bytes, such as `bytes=0-99`; what is no range is overlooked.',
    ),
    conditional('If-Range', 'The `ETag` of the content of which the range is wanted.'),
    conditional('If-None-Match', 'The `ETag` of what the client has already.'),
  ],
  responses: {
    200: contentResponse('The bytes.'),
    206: contentResponse('The bytes of the range.', 'content-range'),
    304: {
      description: 'The client has the bytes already.',
      headers: headerRefs('x-request-id', 'etag'),
    },
    ...commonErrors,
    ...errors(404, 416),
  },
};

export const filePaths: Paths = {
  '/v1/files': { get: list, post: create },
  '/v1/files/{file_id}': { parameters: [fileId], get, delete: remove },
  '/v1/files/{file_id}/content': { parameters: [fileId], get: content },
};

function formSchema(): Readonly<Record<string, unknown>> {
  const { anchor, seconds } = expiresAfterSchema.shape;
  return {
    type: 'object',
    properties: {
      file: binary,
      purpose: { type: 'string', enum: uploadPurposes },
      'expires_after[anchor]': toJsonSchema(anchor),
      'expires_after[seconds]': toJsonSchema(seconds),
    },
    required: ['file', 'purpose'],
    dependentRequired: {
      'expires_after[anchor]': ['expires_after[seconds]'],
      'expires_after[seconds]': ['expires_after[anchor]'],
    },
  };
}

function conditional(name: string, description: string): Parameter {
  return { name, in: 'header', description, schema: { type: 'string' } };
}

function contentResponse(description: string, ...more: readonly string[]): ResponseObject {
  const names = ['x-request-id', 'accept-ranges', 'content-disposition', 'etag', ...more];
  return {
    description,
    headers: headerRefs(...names),
    content: { 'application/octet-stream': { schema: {} } },
  };
}
