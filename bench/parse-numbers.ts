import { parseOptions } from '../scripts/cli/parse-options';
import { LocalError } from '../scripts/local/local-error';

/**
 * Options that are positive numbers, all of which have a default.
 *
 * @throws `LocalError` for an option that there is not, or that is none.
 */
export function parseNumbers<Name extends string>(
  args: readonly string[],
  defaults: Readonly<Record<Name, number>>,
): Record<Name, number> {
  const names = Object.keys(defaults) as Name[];
  const given = parseOptions(
    args,
    Object.fromEntries(
      names.map((name) => [name, { type: 'string', default: String(defaults[name]) }] as const),
    ),
  );
  const numbers = names.map((name) => {
    const number = Number(given[name]);
    if (!(number > 0 && number < Infinity)) {
      throw new LocalError(`--${name} is ${String(given[name])}: give it a number above 0.`);
    }
    return [name, number];
  });
  return Object.fromEntries(numbers) as Record<Name, number>;
}
