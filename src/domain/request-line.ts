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

/**
 * What a body must have besides its model. What only some servers want, or what has substitutes
 * (`prompt_embeds` of completions, `prompt` of responses), the upstreams miss by themselves.
 */
export const requiredBodyMembers: Readonly<Partial<Record<Endpoint, string>>> = {
  '/v1/chat/completions': 'messages',
  '/v1/embeddings': 'input',
  '/v1/moderations': 'input',
  '/v1/images/generations': 'prompt',
  '/v1/rerank': 'query',
};

export type LineProblem = Omit<BatchError, 'line'>;

/** A line's own verdict; duplicates and mixed models need the other lines and are found elsewhere. */
export interface CheckedLine {
  readonly problems: readonly LineProblem[];
  /** Present when nothing is wrong with it, whatever else is wrong with the line. */
  readonly customId: string | undefined;
  readonly model: string | undefined;
  /** Texts, or lists of tokens, to embed; 1 where the endpoint is another one. */
  readonly inputCount: number;
}

type JsonObject = Readonly<Record<string, unknown>>;

/** @param line a parsed line; `undefined` when it is no JSON at all. */
export function checkRequestLine(line: unknown, rules: LineRules): CheckedLine {
  if (!isObject(line)) {
    return badLine(batchErrors.invalidJsonLine);
  }
  const customId = own(line, 'custom_id');
  const body = own(line, 'body');
  const customIdProblems = checkCustomId(customId);
  const problems = [
    ...customIdProblems,
    ...checkMethod(own(line, 'method')),
    ...checkUrl(own(line, 'url'), rules.endpoint),
    ...checkBody(body, rules),
  ];
  return {
    problems,
    customId: customIdProblems.length === 0 ? stringOrUndefined(customId) : undefined,
    model: stringOrUndefined(own(body, 'model')),
    inputCount: rules.endpoint === '/v1/embeddings' ? countInputs(own(body, 'input')) : 1,
  };
}

/** The verdict on a line of which nothing is known but its one problem. */
export function badLine(problem: LineProblem): CheckedLine {
  return { problems: [problem], customId: undefined, model: undefined, inputCount: 1 };
}

function checkCustomId(customId: unknown): LineProblem[] {
  if (customId === undefined || customId === null || customId === '') {
    return [batchErrors.missingParameter('custom_id')];
  }
  if (typeof customId !== 'string') {
    return [batchErrors.invalidType('custom_id', 'a string')];
  }
  if (customId.length > customIdLengthMax) {
    return [batchErrors.customIdTooLong(customIdLengthMax, customId.length)];
  }
  return loneSurrogate.test(customId) ? [batchErrors.customIdNotUnicode] : [];
}

/** It cannot be written in UTF-8, and most JSON parsers refuse its escape: nobody could read it. */
const loneSurrogate = /\p{Surrogate}/u;

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
  const { endpoint } = rules;
  const problems = checkModel(own(body, 'model'), rules);
  const required = requiredBodyMembers[endpoint];
  if (required !== undefined && (own(body, required) ?? null) === null) {
    problems.push(batchErrors.missingParameter(required, `body.${required}`));
  }
  if (own(body, 'stream') === true) {
    problems.push(batchErrors.streamingUnsupported(endpoint));
  }
  return problems;
}

/** A list of numbers is one input, given as tokens; any other list is a list of inputs. */
function countInputs(input: unknown): number {
  return Array.isArray(input) && typeof input[0] !== 'number' ? Math.max(1, input.length) : 1;
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
