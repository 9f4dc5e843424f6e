/**
 * One line of an input file. Checking never throws: it returns what is wrong as values, and the
 * whole file is read to its end so that the user sees every bad line at once.
 */
import type { Endpoint } from './endpoints';
import type { BatchError } from './batch';
import { batchErrors } from './error-codes';
import { customIdLengthMax } from './limits';

/** What a file's lines are checked against. */
export interface LineRules {
  readonly endpoint: Endpoint;
  /** Whether some upstream serves the model. */
  hasModel(model: string): boolean;
}

export type LineProblem = Omit<BatchError, 'line'>;

/** A line's own verdict; duplicates and mixed models need the other lines and are found elsewhere. */
export interface CheckedLine {
  readonly problems: readonly LineProblem[];
  /** Present when the line has a usable one, even if something else is wrong with it. */
  readonly customId: string | undefined;
  readonly model: string | undefined;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** @param line a parsed line; `undefined` when it is no JSON at all. */
export function checkRequestLine(line: unknown, rules: LineRules): CheckedLine {
  if (!isObject(line)) {
    return { problems: [batchErrors.invalidJsonLine], customId: undefined, model: undefined };
  }
  const problems = [
    ...checkCustomId(own(line, 'custom_id')),
    ...checkMethod(own(line, 'method')),
    ...checkUrl(own(line, 'url'), rules.endpoint),
    ...checkBody(own(line, 'body'), rules),
  ];
  return {
    problems,
    customId: stringOrUndefined(own(line, 'custom_id')),
    model: stringOrUndefined(own(own(line, 'body'), 'model')),
  };
}

function checkCustomId(customId: unknown): LineProblem[] {
  if (customId === undefined || customId === null || customId === '') {
    return [batchErrors.missingParameter('custom_id')];
  }
  if (typeof customId !== 'string') {
    return [batchErrors.invalidType('custom_id', 'a string')];
  }
  return customId.length > customIdLengthMax
    ? [batchErrors.customIdTooLong(customIdLengthMax, customId.length)]
    : [];
}

function checkMethod(method: unknown): LineProblem[] {
  if (method === undefined || method === null) {
    return [batchErrors.missingParameter('method')];
  }
  return method === 'POST' ? [] : [batchErrors.invalidMethod];
}

function checkUrl(url: unknown, endpoint: Endpoint): LineProblem[] {
  if (url === undefined || url === null) {
    return [batchErrors.missingParameter('url')];
  }
  return url === endpoint ? [] : [batchErrors.invalidUrl];
}

function checkBody(body: unknown, rules: LineRules): LineProblem[] {
  if (body === undefined || body === null) {
    return [batchErrors.missingParameter('body')];
  }
  if (!isObject(body)) {
    return [batchErrors.invalidType('body', 'an object')];
  }
  const problems = checkModel(own(body, 'model'), rules);
  if (own(body, 'stream') === true) {
    problems.push(batchErrors.streamingUnsupported);
  }
  return problems;
}

function checkModel(model: unknown, rules: LineRules): LineProblem[] {
  if (model === undefined || model === null || model === '') {
    return [batchErrors.missingParameter('model', 'body.model')];
  }
  if (typeof model !== 'string') {
    return [batchErrors.invalidType('body.model', 'a string')];
  }
  return rules.hasModel(model) ? [] : [batchErrors.modelNotFound(model)];
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function own(value: unknown, key: string): unknown {
  return isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function stringOrUndefined(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
