import { parseRange } from '../../../src/api/files/byte-range';

test.each([
  ['bytes=0-0', { offset: 0, length: 1 }],
  ['bytes=2-4', { offset: 2, length: 3 }],
  ['BYTES = 2-4', { offset: 2, length: 3 }],
  ['bytes=2-', { offset: 2, length: 8 }],
  ['bytes=2-99', { offset: 2, length: 8 }],
  ['bytes=9-9', { offset: 9, length: 1 }],
  ['bytes=-3', { offset: 7, length: 3 }],
  ['bytes=-99', { offset: 0, length: 10 }],
  [`bytes=0-${'9'.repeat(400)}`, { offset: 0, length: 10 }],
])('%s of ten bytes', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

test.each(['bytes=10-', 'bytes=10-12', 'bytes=-0', `bytes=${'9'.repeat(400)}-`])(
  '%s of ten bytes has none',
  (header) => {
    expect(parseRange(header, 10)).toBe('unsatisfiable');
  },
);

test.each([
  undefined,
  '',
  'bytes=',
  'bytes=-',
  'bytes=4-2',
  'bytes=0-1,4-5',
  'bytes=a-b',
  'bytes=1.5-3',
  'bytes=--3',
  'lines=0-1',
  '0-1',
])('%s is overlooked', (header) => {
  expect(parseRange(header, 10)).toBeUndefined();
});
