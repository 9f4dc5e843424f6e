/** Why batches fail: codes and messages (OpenAI Batch: `errors.data[]`). */
import type { BatchError } from './batch';
import type { Endpoint } from './endpoints';

type ErrorDetails = Omit<BatchError, 'line'>;

const quotedLengthMax = 200;

export const batchErrors = {
  invalidJsonLine: error('invalid_json_line', 'This line is not parseable as valid JSON.', null),
  nestedTooDeeply: (depthMax: number) =>
    error('invalid_json_line', `This line is nested deeper than ${depthMax} levels.`, null),
  lineTooLong: (bytesMax: number) =>
    error('invalid_request', `This line is longer than the maximum of ${bytesMax} bytes.`, null),
  missingParameter: (key: string, param = key) =>
    error('missing_required_parameter', `Missing required parameter: '${key}'.`, param),
  invalidType: (param: string, expected: string) =>
    error('invalid_type', `Invalid type for '${param}': expected ${expected}.`, param),
  customIdTooLong: (lengthMax: number, length: number) =>
    error(
      'string_above_max_length',
      `Invalid 'custom_id': string too long. Expected a string with maximum length ${lengthMax}, but got a string with length ${length} instead.`,
      'custom_id',
    ),
  customIdNotUnicode: error(
    'invalid_value',
    "Invalid 'custom_id': it has half of a surrogate pair, which is not a character.",
    'custom_id',
  ),
  duplicateCustomId: error(
    'duplicate_custom_id',
    'The custom_id for this request is a duplicate of another request. The custom_id parameter must be unique for each request in a batch.',
    'custom_id',
  ),
  invalidMethod: error(
    'invalid_method',
    "The method for this request is not supported. Only 'POST' is supported.",
    'method',
  ),
  invalidUrl: error(
    'invalid_url',
    'The URL provided for this request does not match the batch endpoint.',
    'url',
  ),
  mismatchedModel: (model: string) =>
    error(
      'mismatched_model',
      `The model '${bounded(model)}' for this request does not match the rest of the batch. Each batch must contain requests for a single model.`,
      'body.model',
    ),
  modelNotFound: (model: string) =>
    error(
      'model_not_found',
      `The provided model '${bounded(model)}' is not supported by the Batch API.`,
      'body.model',
    ),
  streamingUnsupported: (endpoint: Endpoint) =>
    error(
      'streaming_unsupported',
      `${endpoint === '/v1/chat/completions' ? 'Chat Completions: ' : ''}Streaming is not supported in the Batch API.`,
      'body.stream',
    ),
  emptyFile: error(
    'empty_file',
    'The input file is empty. Please ensure that the batch contains at least one request.',
    null,
  ),
  tooManyTasks: (linesMax: number) =>
    error(
      'too_many_tasks',
      `The input file contains more than the maximum of ${linesMax} requests.`,
      null,
    ),
  /** A code of our own: none of the hosted services has documented one. */
  tooManyEmbeddingInputs: (inputsMax: number) =>
    error(
      'too_many_embedding_inputs',
      `The input file contains more than the maximum of ${inputsMax} embedding inputs.`,
      null,
    ),
  /** A code of our own, of the form of OpenAI's `token_limit_exceeded`. */
  queuedLinesLimitExceeded: (counts: {
    readonly linesMax: number;
    readonly queued: number;
    readonly total: number;
  }) =>
    error(
      'queued_lines_limit_exceeded',
      `Queued request limit reached: with the ${counts.total} of this batch, the unfinished batches of the project would hold ${counts.queued + counts.total} requests. Limit: ${counts.linesMax} queued requests. Please try again once some in_progress batches have been completed.`,
      null,
    ),
  fileNotFound: (fileId: string) =>
    error(
      'invalid_request',
      `Cannot find file ${bounded(fileId)}, or the project does not have access to it.`,
      'file_id',
    ),
  wrongPurpose: (purpose: string) =>
    error(
      'invalid_request',
      `The input file must have purpose 'batch', but it has purpose '${purpose}'.`,
      'file_id',
    ),
  /** A code of our own: the fault is the service's, and the input may be sent again. */
  internalError: error(
    'internal_error',
    'The batch ended early because of an internal error. Requests that were answered before are in its files; the others were not executed, and can be submitted again in a new batch.',
    null,
  ),
} as const;

function error(code: string, message: string, param: string | null): ErrorDetails {
  return { code, message, param };
}

/** A client's text in a message: a thousand messages stand in a record, and a line may be long. */
function bounded(text: string): string {
  return text.length > quotedLengthMax ? `${text.slice(0, quotedLengthMax)}…` : text;
}
