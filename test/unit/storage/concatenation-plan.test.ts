import fc from 'fast-check';
import {
  planConcatenation,
  sizeOf,
  type ConcatenationPart,
  type PartLimits,
} from '../../../src/storage/concatenation-plan';
import type { ObjectSlice } from '../../../src/storage/object-store';

const MIB = 1024 * 1024;

/** S3's rules, a million times smaller. */
const small: PartLimits = {
  partBytesMin: 5,
  partCopyBytesMax: 64,
  partReadBytesMax: 16,
  partCountMax: 10_000,
};

const slices = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    offset: fc.nat({ max: 40 }),
    length: fc.oneof(fc.nat({ max: 12 }), fc.nat({ max: 400 })),
  }),
  { maxLength: 40 },
);

describe('planConcatenation', () => {
  it('covers every byte of the slices once, in order', () => {
    fc.assert(
      fc.property(slices, (given) => {
        expect(bytesOf(planConcatenation(given, small).flatMap(slicesOf))).toEqual(bytesOf(given));
      }),
    );
  });

  it('makes every part but the last large enough, and none too large', () => {
    fc.assert(
      fc.property(slices, (given) => {
        const parts = planConcatenation(given, small);
        expect(parts.slice(0, -1).filter((part) => partSize(part) < small.partBytesMin)).toEqual(
          [],
        );
        expect(parts.filter((part) => partSize(part) > maxOf(part))).toEqual([]);
        expect(parts.filter((part) => partSize(part) === 0)).toEqual([]);
      }),
    );
  });

  it('reads nothing where every run can be copied', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 5, max: 400 }), { maxLength: 20 }), (lengths) => {
        const given = lengths.map((length, index) => ({ key: `k${index}`, offset: 0, length }));
        const read = planConcatenation(given, small).filter((part) => part.read !== undefined);
        expect(read).toEqual([]);
      }),
    );
  });

  it('never makes more parts than allowed', () => {
    const few = { ...small, partCountMax: 6 };
    fc.assert(
      fc.property(slices, (given) => {
        expect(planConcatenation(given, few).length).toBeLessThanOrEqual(6);
      }),
    );
  });

  it('copies what the store can copy', () => {
    const given = [slice('a', 0, 20 * MIB), slice('b', 3, 5 * MIB)];
    expect(planConcatenation(given)).toEqual(given.map((copied) => ({ copied })));
  });

  it('gives the head of a large run to what is too small to be copied', () => {
    expect(planConcatenation([slice('a', 0, 1), slice('b', 0, 20 * MIB)])).toEqual([
      { read: [slice('a', 0, 1), slice('b', 0, 5 * MIB - 1)] },
      { copied: slice('b', 5 * MIB - 1, 15 * MIB + 1) },
    ]);
  });

  it('reads a run whose rest would be too small to be copied', () => {
    const given = [slice('a', 0, 1), slice('b', 0, 9 * MIB)];
    expect(planConcatenation(given)).toEqual([{ read: given }]);
  });

  it('takes slices that continue each other for one run', () => {
    const given = [slice('a', 7, 3 * MIB), slice('a', 7 + 3 * MIB, 3 * MIB), slice('b', 0, 1)];
    expect(planConcatenation(given)).toEqual([
      { copied: slice('a', 7, 6 * MIB) },
      { read: [slice('b', 0, 1)] },
    ]);
  });

  it('copies a large object in equal parts', () => {
    const parts = planConcatenation([slice('a', 0, 130 * MIB)]);
    const sizes = parts.map(partSize);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    expect(sizes).toHaveLength(3);
  });

  it('plans nothing for no bytes', () => {
    expect(planConcatenation([])).toEqual([]);
    expect(planConcatenation([slice('a', 0, 0)])).toEqual([]);
  });

  it('keeps to the count also for an object of 5 TiB', () => {
    const given = Array.from({ length: 40_960 }, (_, index) => slice(`k${index}`, 0, 128 * MIB));
    const parts = planConcatenation(given);
    expect(parts.length).toBeLessThanOrEqual(10_000);
    expect(sizeOf(parts.flatMap(slicesOf))).toBe(5 * 1024 * 1024 * MIB);
  });
});

function slice(key: string, offset: number, length: number): ObjectSlice {
  return { key, offset, length };
}

function slicesOf(part: ConcatenationPart): readonly ObjectSlice[] {
  return part.read ?? [part.copied];
}

function partSize(part: ConcatenationPart): number {
  return sizeOf(slicesOf(part));
}

function maxOf(part: ConcatenationPart): number {
  return part.read === undefined ? small.partCopyBytesMax : small.partReadBytesMax;
}

/** Names every byte: two lists of slices are equal where these are. */
function bytesOf(given: readonly ObjectSlice[]): string[] {
  return given.flatMap(({ key, offset, length }) =>
    Array.from({ length }, (_, index) => `${key}${offset + index}`),
  );
}
