import { z } from 'zod';
import { expiresAfterSecondsMax, expiresAfterSecondsMin } from '../../domain/limits';

/** `expires_after` of an upload. */
export const expiresAfterSchema = z.object({
  anchor: z.enum(['created_at']),
  seconds: z.number().int().min(expiresAfterSecondsMin).max(expiresAfterSecondsMax),
});

/** `output_expires_after` of a batch: DeepInfra lets its users leave the only anchor there is out. */
export const outputExpiresAfterSchema = expiresAfterSchema.partial({ anchor: true });
