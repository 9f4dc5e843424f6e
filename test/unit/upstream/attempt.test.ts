import { judgeAnswer } from '../../../src/upstream/attempt';

const body = Buffer.from('{}');

describe('Retry-After', () => {
  it.each([
    ['7', 7_000],
    [['7', '9'], 7_000],
    ['9'.repeat(400), 600_000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 600_000],
    ['1e99', undefined],
    ['-5', undefined],
    ['', undefined],
    ['soon', undefined],
    [undefined, undefined],
  ])('of %j is %j ms', (value, expected) => {
    const { kind, retryAfterMs } = judgeAnswer({
      status: 429,
      headers: { 'retry-after': value },
      body,
    });
    expect([kind, retryAfterMs]).toEqual(['rate_limited', expected]);
  });
});

test('a header that occurs several times breaks nothing', () => {
  const twice = ['a', 'b'];
  const headers = { 'content-encoding': twice, 'x-request-id': twice, 'retry-after': twice };
  for (const status of [200, 400, 429, 503]) {
    expect(judgeAnswer({ status, headers, body }).cause).toBe(status);
  }
});
