/**
 * The official client's types know no nulls where the real service sends them; without nulls, and
 * with those keys optional, a wire object has to fit its type exactly.
 */
export type WithoutNulls<T> = T extends readonly (infer Element)[]
  ? WithoutNulls<Element>[]
  : T extends object
    ? { [K in keyof T as null extends T[K] ? never : K]: WithoutNulls<T[K]> } & {
        [K in keyof T as null extends T[K] ? K : never]?: WithoutNulls<Exclude<T[K], null>>;
      }
    : T;

export function withoutNulls<T>(value: T): WithoutNulls<T> {
  return JSON.parse(
    JSON.stringify(value, (_key, one: unknown) => (one === null ? undefined : one)),
  ) as WithoutNulls<T>;
}
