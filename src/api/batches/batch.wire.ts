import type { BatchRecord, BatchStatus } from '../../domain/batch';
import type { Usage } from '../../domain/usage';

/** The Batch object (OpenAI Batch reference); what is not known yet is null, never absent. */
export interface BatchWire {
  readonly id: string;
  readonly object: 'batch';
  readonly endpoint: string;
  readonly model: string | null;
  readonly errors: {
    readonly object: 'list';
    readonly data: readonly BatchErrorWire[];
  } | null;
  readonly input_file_id: string;
  readonly completion_window: string;
  readonly status: BatchStatus;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  readonly created_at: number;
  readonly in_progress_at: number | null;
  readonly expires_at: number;
  readonly finalizing_at: number | null;
  readonly completed_at: number | null;
  readonly failed_at: number | null;
  readonly expired_at: number | null;
  readonly cancelling_at: number | null;
  readonly cancelled_at: number | null;
  readonly request_counts: {
    readonly total: number;
    readonly completed: number;
    readonly failed: number;
  };
  readonly usage: UsageWire | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  /**
   * Not OpenAI's: what the tokens cost, where the operator has set prices. Absent otherwise; named
   * so that no field of OpenAI's will be called the same.
   */
  readonly longhaul_cost?: { readonly currency: string; readonly amount: number };
}

interface BatchErrorWire {
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly line: number | null;
}

interface UsageWire {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

export function toBatchWire(batch: BatchRecord): BatchWire {
  const { total, completed, failed } = batch.requestCounts;
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    model: batch.model,
    errors: batch.errors && { object: 'list', data: batch.errors },
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    status: batch.status,
    output_file_id: batch.outputFileId,
    error_file_id: batch.errorFileId,
    created_at: batch.createdAt,
    in_progress_at: batch.inProgressAt,
    expires_at: batch.expiresAt,
    finalizing_at: batch.finalizingAt,
    completed_at: batch.completedAt,
    failed_at: batch.failedAt,
    expired_at: batch.expiredAt,
    cancelling_at: batch.cancellingAt,
    cancelled_at: batch.cancelledAt,
    request_counts: { total, completed, failed },
    usage: batch.usage && toUsageWire(batch.usage),
    metadata: batch.metadata,
    ...(batch.cost !== undefined && {
      longhaul_cost: { currency: batch.cost.currency, amount: batch.cost.amount },
    }),
  };
}

function toUsageWire(usage: Usage): UsageWire {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.totalTokens,
  };
}
