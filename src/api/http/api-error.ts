/**
 * Errors as clients see them: OpenAI's envelope, and the one table of their kinds.
 *
 * The official clients read `type`, `param` and `code` from the envelope and choose their exception
 * by status; they repeat 408, 409, 429 and everything from 500 on, unless told otherwise.
 */

interface ErrorKind {
  readonly status: number;
  readonly type: 'invalid_request_error' | 'server_error';
  readonly code: string | null;
}

const clientError = <Code extends string | null>(
  status: number,
  code: Code,
): { readonly status: number; readonly type: 'invalid_request_error'; readonly code: Code } => ({
  status,
  type: 'invalid_request_error',
  code,
});

/** Every error that the API answers; the name is ours, status, type and code are the wire's. */
export const errorKinds = {
  invalidRequest: clientError(400, null),
  missingParameter: clientError(400, 'missing_required_parameter'),
  duplicateParameter: clientError(400, 'duplicate_parameter'),
  invalidType: clientError(400, 'invalid_type'),
  invalidValue: clientError(400, 'invalid_value'),
  emptyString: clientError(400, 'empty_string'),
  emptyArray: clientError(400, 'empty_array'),
  arrayTooLong: clientError(400, 'array_above_max_length'),
  stringTooLong: clientError(400, 'string_above_max_length'),
  integerTooLarge: clientError(400, 'integer_above_max_value'),
  integerTooSmall: clientError(400, 'integer_below_min_value'),
  tooManyProperties: clientError(400, 'object_above_max_properties'),
  propertyNameTooLong: clientError(400, 'property_name_above_max_length'),
  fileLimitExceeded: clientError(400, 'file_limit_exceeded'),
  idempotencyKeyReused: clientError(400, 'idempotency_key_reused'),
  missingApiKey: clientError(401, null),
  wrongApiKey: clientError(401, 'invalid_api_key'),
  notFound: clientError(404, null),
  modelNotFound: clientError(404, 'model_not_found'),
  methodNotAllowed: clientError(405, null),
  requestTimeout: clientError(408, null),
  conflict: clientError(409, null),
  bodyTooLarge: clientError(413, null),
  unsupportedContentType: clientError(415, 'unsupported_content_type'),
  batchLimitExceeded: clientError(429, 'batch_limit_exceeded'),
  queuedLinesLimitExceeded: clientError(429, 'queued_lines_limit_exceeded'),
  rangeNotSatisfiable: clientError(416, null),
  headersTooLarge: clientError(431, null),
  internal: { status: 500, type: 'server_error', code: null },
  unavailable: { status: 503, type: 'server_error', code: null },
  storageFull: { status: 507, type: 'server_error', code: 'storage_full' },
} as const satisfies Readonly<Record<string, ErrorKind>>;

export type ErrorKindName = keyof typeof errorKinds;

interface ErrorDetails {
  /** Name of the offending parameter, dotted when it is nested. */
  readonly param?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** Ends a request with an error of the table. The message is shown to the client. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly kind: ErrorKindName,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, { cause: details.cause });
    this.param = details.param ?? null;
    this.headers = details.headers ?? {};
  }

  get status(): number {
    return errorKinds[this.kind].status;
  }
}

/** The envelope; all four keys are always there. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

export function toErrorBody(error: ApiError): ErrorBody {
  const { type, code } = errorKinds[error.kind];
  return { error: { message: error.message, type, param: error.param, code } };
}

const quotedLengthMax = 200;

/** What a client sent, for use in a message: bounded, and without control characters. */
export function quoted(text: string): string {
  const shown = text.length > quotedLengthMax ? `${text.slice(0, quotedLengthMax)}…` : text;
  return shown.replace(/\p{Cc}/gu, '\u{fffd}');
}
