/** What may become of an object behind Longhaul's back. */
import fc from 'fast-check';
import type { ObjectStore } from '../../src/storage/object-store';
import { keysBelow } from './faulty-object-store';

/** `foreign`: replaced by the content of another object. */
export const damageKinds = ['flip', 'cut', 'empty', 'foreign', 'delete'] as const;

export interface Damage {
  readonly kind: (typeof damageKinds)[number];
  /** Which object, of those there are. */
  readonly pick: number;
  /** Where in the object; which other object, for a foreign one. */
  readonly at: number;
}

export const damages: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom(...damageKinds),
  pick: fc.nat({ max: 1_000 }),
  at: fc.nat({ max: 1_000_000 }),
});

/** Damages one of the objects below a prefix, if there is one; tells which. */
export async function damageOne(
  store: ObjectStore,
  prefix: string,
  { kind, pick, at }: Damage,
): Promise<string | undefined> {
  const keys = await keysBelow(store, prefix);
  const key = keys[pick % Math.max(1, keys.length)];
  if (key === undefined) {
    return undefined;
  }
  if (kind === 'delete') {
    await store.delete([key]);
    return key;
  }
  const bytes = (await store.get(key))?.bytes ?? Buffer.alloc(0);
  const all = await keysBelow(store, '');
  const other = all[at % all.length] ?? key;
  const otherBytes = (await store.get(other))?.bytes ?? Buffer.alloc(0);
  await store.put(key, damaged(bytes, { kind, at, other: otherBytes }));
  return key;
}

function damaged(
  bytes: Buffer,
  {
    kind,
    at,
    other,
  }: { readonly kind: Damage['kind']; readonly at: number; readonly other: Buffer },
): Buffer {
  const position = at % Math.max(1, bytes.length);
  switch (kind) {
    case 'flip': {
      const flipped = Buffer.from(bytes);
      if (bytes.length > 0) {
        flipped[position] = (bytes[position] ?? 0) ^ (1 << (at % 8));
      }
      return flipped;
    }
    case 'cut':
      return bytes.subarray(0, position);
    case 'foreign':
      return other;
    case 'empty':
    case 'delete':
      return Buffer.alloc(0);
  }
}
