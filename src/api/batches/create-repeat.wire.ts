/** How a create says that it may be a repeat, or is one. */
import { ApiError } from '../http/api-error';

export interface CreateRepeat {
  /** A name of the client's for what it wants, the same with each repeat. */
  readonly idempotencyKey: string | undefined;
  /** Which repeat it is, 0 for the first attempt; `undefined` from clients that do not count. */
  readonly repeat: number | undefined;
}

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export function parseCreateRepeat(headers: Headers): CreateRepeat {
  const key = headers['idempotency-key'];
  if (key !== undefined && !(typeof key === 'string' && /^[\x20-\x7e]{1,255}$/.test(key))) {
    throw new ApiError(
      'invalidRequest',
      'Invalid Idempotency-Key header: it must consist of 1 to 255 printable ASCII characters.',
    );
  }
  // The official clients send it with every request, and no other sign of a repeat.
  const count = headers['x-stainless-retry-count'];
  const repeat = typeof count === 'string' && /^\d{1,3}$/.test(count) ? Number(count) : undefined;
  return { idempotencyKey: key, repeat };
}
