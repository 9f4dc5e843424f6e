import { rounded } from './process-stats';

/** The middle one, or the upper of the two in the middle; NaN when there is none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** @param fraction at least 0, below 1: the part of the values that are not above the result. */
export function quantile(values: readonly number[], fraction: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * fraction)] ?? NaN;
}

/** As it goes into a report. */
export function medianAndMax(values: readonly number[]): Record<'median' | 'max', number> {
  return { median: rounded(median(values)), max: rounded(Math.max(...values)) };
}

/** How far apart values are: from the smallest to the largest, over the median. */
export function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}
