/** Structured logs. Never a prompt, an answer or a key: log ids, counts and codes only. */
import { destination, pino, stdTimeFunctions, type Logger } from 'pino';

export type { Logger };

/** Writes JSON lines to standard error, so that standard output stays free for results. */
export function createLogger(name: string, level: string): Logger {
  return pino(
    { name, level, base: { name }, timestamp: stdTimeFunctions.isoTime },
    destination({ dest: 2, sync: true }),
  );
}
