import { parseArgs, type ParseArgsConfig } from 'node:util';
import { LocalError } from '../local/local-error';

type Options = NonNullable<ParseArgsConfig['options']>;

/** @throws {@link LocalError} for an option that there is not, or that lacks its value. */
export function parseOptions<T extends Options>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T }>>['values'] {
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    throw new LocalError(
      `${(error as Error).message.split('\n')[0] ?? ''} (--help lists the options)`,
    );
  }
}
