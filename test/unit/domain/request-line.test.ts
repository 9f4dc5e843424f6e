import { endpoints, type Endpoint } from '../../../src/domain/endpoints';
import { batchErrors } from '../../../src/domain/error-codes';
import { checkRequestLine } from '../../../src/domain/request-line';
import { model } from '../../support/batches';

const rules = {
  endpoint: '/v1/chat/completions',
  hasModel: (name: string) => name === model,
} as const;
const line = {
  custom_id: 'a',
  method: 'POST',
  url: '/v1/chat/completions',
  body: { model, messages: [] },
};
const messages: unknown[] = [];

/** Checks what is wrong with a line whose members are replaced; `undefined` removes one. */
function check(
  changes: Record<string, unknown>,
  expected: readonly [string, string | null][],
  endpoint: Endpoint = '/v1/chat/completions',
): void {
  const changed: unknown = JSON.parse(JSON.stringify({ ...line, url: endpoint, ...changes }));
  const { problems } = checkRequestLine(changed, { ...rules, endpoint });
  expect(problems.map(({ code, param }) => [code, param])).toEqual(expected);
}

test('a line with everything that is needed has no problem', () => {
  check({}, []);
  check({ body: { model, messages: '', stream: false }, extra: 1 }, []);
  check({ custom_id: 'x'.repeat(512) }, []);
});

test('what is not a JSON object is not a line', () => {
  for (const value of [undefined, null, 1, 'text', true, [], [line]]) {
    expect(checkRequestLine(value, rules)).toEqual({
      problems: [batchErrors.invalidJsonLine],
      customId: undefined,
      model: undefined,
      inputCount: 1,
    });
  }
});

test('the custom id must be a string of 1 to 512 characters', () => {
  check({ custom_id: undefined }, [['missing_required_parameter', 'custom_id']]);
  check({ custom_id: null }, [['missing_required_parameter', 'custom_id']]);
  check({ custom_id: '' }, [['missing_required_parameter', 'custom_id']]);
  check({ custom_id: 7 }, [['invalid_type', 'custom_id']]);
  check({ custom_id: ['a'] }, [['invalid_type', 'custom_id']]);
  check({ custom_id: 'x'.repeat(513) }, [['string_above_max_length', 'custom_id']]);
  check({ custom_id: '\ud83d\ude00 \u0000 __proto__ ../' }, []);
});

test('the method must be POST', () => {
  check({ method: undefined }, [['missing_required_parameter', 'method']]);
  check({ method: 'GET' }, [['invalid_method', 'method']]);
  check({ method: 'post' }, [['invalid_method', 'method']]);
  check({ method: 1 }, [['invalid_method', 'method']]);
});

test("the URL must be the batch's endpoint", () => {
  check({ url: undefined }, [['missing_required_parameter', 'url']]);
  check({ url: '/v1/embeddings' }, [['invalid_url', 'url']]);
  check({ url: 'https://api.example.com/v1/chat/completions' }, [['invalid_url', 'url']]);
  check({ url: {} }, [['invalid_url', 'url']]);
});

test('the body must be an object with a model that some upstream serves', () => {
  check({ body: undefined }, [['missing_required_parameter', 'body']]);
  check({ body: null }, [['missing_required_parameter', 'body']]);
  check({ body: 'text' }, [['invalid_type', 'body']]);
  check({ body: [] }, [['invalid_type', 'body']]);
  check({ body: { messages } }, [['missing_required_parameter', 'body.model']]);
  check({ body: { model: '', messages } }, [['missing_required_parameter', 'body.model']]);
  check({ body: { model: 4, messages } }, [['invalid_type', 'body.model']]);
  check({ body: { model: 'unknown', messages } }, [['model_not_found', 'body.model']]);
});

test('a custom id with half of a surrogate pair is no text', () => {
  for (const half of ['\ud800', 'a\udc00b', '\ude00\ud83d']) {
    check({ custom_id: half }, [['invalid_value', 'custom_id']]);
  }
});

test('the body must have what its endpoint cannot do without, of whatever type', () => {
  check({ body: { model } }, [['missing_required_parameter', 'body.messages']]);
  check({ body: { model, messages: null } }, [['missing_required_parameter', 'body.messages']]);
  check({ body: { model } }, [['missing_required_parameter', 'body.input']], '/v1/embeddings');
  check({ body: { model, input: 0 } }, [], '/v1/embeddings');
  check({ body: { model } }, [], '/v1/completions');
  check({ body: { model } }, [['missing_required_parameter', 'body.query']], '/v1/rerank');
  expect(batchErrors.missingParameter('messages', 'body.messages').message).toBe(
    "Missing required parameter: 'messages'.",
  );
});

test('streaming is refused whatever the endpoint', () => {
  const members = { messages, input: '', prompt: '', query: '' };
  const streaming = { body: { model, ...members, stream: true } };
  for (const endpoint of endpoints) {
    check(streaming, [['streaming_unsupported', 'body.stream']], endpoint);
  }
  const [chat, ...others] = endpoints.map(
    (endpoint) => batchErrors.streamingUnsupported(endpoint).message,
  );
  expect(chat).toBe('Chat Completions: Streaming is not supported in the Batch API.');
  expect(new Set(others)).toEqual(new Set(['Streaming is not supported in the Batch API.']));
});

test('every problem of a line is reported at once', () => {
  check({ custom_id: 1, method: 'GET', url: '/', body: { model: 'unknown', stream: true } }, [
    ['invalid_type', 'custom_id'],
    ['invalid_method', 'method'],
    ['invalid_url', 'url'],
    ['model_not_found', 'body.model'],
    ['missing_required_parameter', 'body.messages'],
    ['streaming_unsupported', 'body.stream'],
  ]);
});

test('members that an object has by inheritance do not count', () => {
  const inherited: unknown = Object.create(line);
  expect(checkRequestLine(inherited, rules).problems.map(({ param }) => param)).toEqual([
    'custom_id',
    'method',
    'url',
    'body',
  ]);
  expect(checkRequestLine(JSON.parse('{"__proto__":{}}'), rules).customId).toBeUndefined();
});

test('custom id and model are told even when something else is wrong', () => {
  const checked = checkRequestLine({ ...line, method: 'GET' }, rules);
  expect(checked).toMatchObject({ customId: 'a', model });
});

test('a long name of a model is not repeated at full length', () => {
  const { problems } = checkRequestLine(
    { ...line, body: { model: 'x'.repeat(100_000), messages } },
    rules,
  );
  const shown = `'${'x'.repeat(200)}…'`;
  expect(problems.map(({ message }) => message)).toEqual([
    `The provided model ${shown} is not supported by the Batch API.`,
  ]);
  expect(batchErrors.mismatchedModel('x'.repeat(100_000)).message).toContain(shown);
});
