import fc from 'fast-check';
import { AnswerBody } from '../../../src/upstream/answer-body';
import { holds } from '../../support/holds';

test('holds the bytes that came, however they came', () => {
  const sizes = fc.array(fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 70_000 })), { maxLength: 40 });
  const property = fc.property(sizes, (given) => {
    const chunks = given.map((size, at) => Buffer.alloc(size, 65 + at));
    const body = new AnswerBody();
    // A chunk belongs to the body: its bytes may be overwritten later.
    chunks.forEach((chunk) => {
      body.add(Buffer.from(chunk));
    });
    const expected = Buffer.concat(chunks);
    expect(body.bytes).toBe(expected.length);
    expect(body.whole().equals(expected)).toBe(true);
    expect(Buffer.concat(body.pieces()).equals(expected)).toBe(true);
  });
  holds(property);
});

test('large chunks are kept as they are, small ones put together', () => {
  const body = new AnswerBody();
  const large = Buffer.alloc(65_536);
  body.add(large);
  body.add(large);
  for (let count = 0; count < 100_000; count++) {
    body.add(Buffer.of(count % 256));
  }
  const pieces = body.pieces();
  expect(pieces.slice(0, 2).map(({ buffer }) => buffer)).toEqual([large.buffer, large.buffer]);
  expect(pieces.length).toBeLessThan(7);
});

test('is large with many bytes, or with many chunks', () => {
  const few = new AnswerBody();
  few.add(Buffer.alloc(200_000));
  expect(few.isLarge).toBe(false);
  few.add(Buffer.alloc(200_000));
  expect(few.isLarge).toBe(true);
  const crumbs = new AnswerBody();
  for (let count = 0; count < 100; count++) {
    crumbs.add(Buffer.of(0));
  }
  expect(crumbs.isLarge).toBe(true);
});
