import type { Observation } from '../observation';

/** @returns what is wrong, each in one line; nothing when all is well. */
export type Checker = (seen: Observation) => string[];
