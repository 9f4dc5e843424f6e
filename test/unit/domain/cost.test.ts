import { costOf, type Price } from '../../../src/domain/cost';
import { noUsage, type Usage } from '../../../src/domain/usage';

const price: Price = {
  currency: 'usd',
  batchDiscount: 0.5,
  inputPerMillion: 3,
  cachedInputPerMillion: 0.3,
  outputPerMillion: 15,
};

test.each<[string, Partial<Usage>, Partial<Price>, number]>([
  ['nothing', {}, {}, 0],
  ['a million of each', { inputTokens: 1e6, outputTokens: 1e6 }, {}, 9],
  ['cached tokens at their own price', { inputTokens: 1e6, cachedTokens: 5e5 }, {}, 0.825],
  ['more cached tokens than there are', { inputTokens: 10, cachedTokens: 1e6 }, {}, 0.0000015],
  ['no discount', { inputTokens: 1e6 }, { batchDiscount: 0 }, 3],
  ['everything spared', { inputTokens: 1e6 }, { batchDiscount: 1 }, 0],
  // 0.1 + 0.2 is not 0.3 in binary.
  [
    'no noise of binary numbers',
    { inputTokens: 1e6, outputTokens: 1e6 },
    { batchDiscount: 0, inputPerMillion: 0.1, outputPerMillion: 0.2 },
    0.3,
  ],
])('%s', (_case, usage, changes, amount) => {
  expect(costOf({ ...noUsage, ...usage }, { ...price, ...changes })).toEqual({
    currency: 'usd',
    amount,
  });
});
