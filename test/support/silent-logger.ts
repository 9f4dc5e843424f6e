import { createLogger, type Logger } from '../../src/observability/logger';

/** A logger of the product that writes nothing. */
export function silentLogger(): Logger {
  return createLogger('test', 'silent');
}
