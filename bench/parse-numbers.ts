import { parseOptions } from '../scripts/cli/parse-options';
import { LocalError } from '../scripts/local/local-error';

type Defaults = Readonly<Record<string, number | readonly number[]>>;

type Parsed<T extends Defaults> = {
  readonly [Name in keyof T]: T[Name] extends number ? number : readonly number[];
};

/**
 * Options that are positive numbers, or lists of numbers with commas between them, in which 0 may
 * be. All of them have a default.
 *
 * @throws `LocalError` for an option that there is not, or that is none.
 */
export function parseNumbers<T extends Defaults>(args: readonly string[], defaults: T): Parsed<T> {
  const entries = Object.entries(defaults);
  const given = parseOptions(
    args,
    Object.fromEntries(
      entries.map(([name, value]) => [name, { type: 'string', default: String(value) }] as const),
    ),
  );
  const parsed = entries.map(([name, value]) => {
    const text = String(given[name]);
    return [name, typeof value === 'number' ? toNumber(name, text) : toList(name, text)];
  });
  return Object.fromEntries(parsed) as Parsed<T>;
}

function toNumber(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0 && number < Infinity)) {
    throw new LocalError(`--${name} is ${text}: give it a number above 0.`);
  }
  return number;
}

function toList(name: string, text: string): readonly number[] {
  const numbers = text.split(',').map((part) => (part.trim() === '' ? NaN : Number(part)));
  if (!numbers.every((number) => number >= 0 && number < Infinity)) {
    throw new LocalError(`--${name} is ${text}: give it numbers with commas between them.`);
  }
  return numbers;
}
