import { z } from 'zod';
import { expiresAfterSecondsMax, expiresAfterSecondsMin } from '../../domain/limits';

/** `expires_after` of an upload and `output_expires_after` of a batch. */
export const expiresAfterSchema = z.object({
  anchor: z.enum(['created_at']),
  seconds: z.number().int().min(expiresAfterSecondsMin).max(expiresAfterSecondsMax),
});
