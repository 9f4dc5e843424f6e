/** What the objects of the API look like on the wire: these fields, and no other. */
import { demoModel } from '../../../scripts/local/upstream-choice';

const seconds: unknown = expect.any(Number);

export function fileOnWire(fields: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    id: expect.stringMatching(/^file-\w{22,}$/),
    object: 'file',
    bytes: expect.any(Number),
    created_at: seconds,
    expires_at: seconds,
    filename: 'requests.jsonl',
    purpose: 'batch',
    status: 'processed',
    status_details: null,
    ...fields,
  };
}

export function uploadOnWire(fields: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    id: expect.stringMatching(/^upload_\w{22,}$/),
    object: 'upload',
    bytes: expect.any(Number),
    created_at: seconds,
    expires_at: seconds,
    filename: 'requests.jsonl',
    purpose: 'batch',
    status: 'pending',
    file: null,
    ...fields,
  };
}

export function batchOnWire(fields: Readonly<Record<string, unknown>> = {}): unknown {
  return {
    id: expect.stringMatching(/^batch_\w{22,}$/),
    object: 'batch',
    endpoint: '/v1/chat/completions',
    model: null,
    errors: null,
    input_file_id: expect.any(String),
    completion_window: '24h',
    status: 'validating',
    output_file_id: null,
    error_file_id: null,
    created_at: seconds,
    in_progress_at: null,
    expires_at: seconds,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 0, completed: 0, failed: 0 },
    usage: null,
    metadata: null,
    ...fields,
  };
}

/** All times and values that a batch has while it runs or once it has ended. */
export const anyProgress: Readonly<Record<string, unknown>> = Object.fromEntries(
  ['model', 'in_progress_at', 'finalizing_at', 'completed_at', 'output_file_id', 'usage'].map(
    (name) => [name, expect.anything() as unknown],
  ),
);

export function modelOnWire(): unknown {
  return { id: demoModel, object: 'model', created: expect.any(Number), owned_by: 'longhaul' };
}

export function listOnWire(data: readonly unknown[], hasMore: boolean): unknown {
  return {
    object: 'list',
    data,
    first_id: data.length === 0 ? null : expect.any(String),
    last_id: data.length === 0 ? null : expect.any(String),
    has_more: hasMore,
  };
}

/** The envelope with all four keys. */
export function errorOnWire(code: string | null = null, param: string | null = null): unknown {
  return {
    error: { message: expect.any(String), type: 'invalid_request_error', param, code },
  };
}
