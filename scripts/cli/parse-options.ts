import { resolve } from 'node:path';
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

/** A path as the user meant it: npm runs scripts in the project's folder, wherever it was called. */
export function userPath(path: string): string {
  return resolve(process.env['INIT_CWD'] ?? '', path);
}
