import type { Usage } from './usage';

/** What the tokens of one model cost. */
export interface Price {
  /** As the operator names it, such as `usd`. */
  readonly currency: string;
  /** What batches are spared, from 0 to 1. */
  readonly batchDiscount: number;
  readonly inputPerMillion: number;
  readonly cachedInputPerMillion: number;
  readonly outputPerMillion: number;
}

/** What a batch's tokens cost, by the prices in force when it ended. */
export interface Cost {
  readonly currency: string;
  /** After the discount for batches, exact to a billionth. */
  readonly amount: number;
}

/** Cached tokens are among the input's, reasoning tokens among the output's. */
export function costOf(usage: Usage, price: Price): Cost {
  const cachedTokens = Math.min(usage.cachedTokens, usage.inputTokens);
  const full =
    (usage.inputTokens - cachedTokens) * price.inputPerMillion +
    cachedTokens * price.cachedInputPerMillion +
    usage.outputTokens * price.outputPerMillion;
  const amount = (full / 1_000_000) * (1 - price.batchDiscount);
  return { currency: price.currency, amount: Number(amount.toFixed(9)) };
}
