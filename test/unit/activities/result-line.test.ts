import { answeredLine, failedLine } from '../../../activities/result-line';
import type { LineAnswer } from '../../../src/upstream/dispatcher';
import { makeRequestId } from '../../../src/domain/ids';
import { noUsage } from '../../../src/domain/usage';
import { aBatchId } from '../../support/batches';

const requestId = makeRequestId(aBatchId(), 7);

function identity(customId: string): { requestId: typeof requestId; customId: Buffer } {
  return { requestId, customId: Buffer.from(customId) };
}

function anAnswer(body: string, changes: Partial<LineAnswer> = {}): LineAnswer {
  return {
    status: 200,
    upstreamRequestId: 'up-1',
    body: [Buffer.from(body)],
    usage: noUsage,
    ...changes,
  };
}

function lineOf(...args: Parameters<typeof answeredLine>): Buffer {
  return Buffer.concat(answeredLine(...args));
}

test('an answer is spliced into its line byte for byte', () => {
  const customId = '"\\u00fc\\/ \u{1f600}"';
  const body = '{"n":12345678901234567890,"x":1.0,"x":2e400, "t":"\u{1f600}\\ud83d"}';
  expect(lineOf(identity(customId), anAnswer(body)).toString()).toBe(
    `{"id":"${requestId}","custom_id":${customId},"response":{"status_code":200,"request_id":"up-1","body":${body}},"error":null}\n`,
  );
});

test('a large answer is not copied', () => {
  const body = [Buffer.from('["a",'), Buffer.from('"b"]')];
  const pieces = answeredLine(identity('"a"'), { ...anAnswer(''), body });
  expect(pieces.slice(1, -1)).toEqual(body);
  expect(pieces[1]).toBe(body[0]);
  expect(Buffer.concat(pieces).toString()).toBe(
    lineOf(identity('"a"'), anAnswer('["a","b"]')).toString(),
  );
});

test('bytes that are not UTF-8 stay as they are', () => {
  const body = Buffer.from([0x22, 0xff, 0xfe, 0x22]);
  const line = lineOf(identity('"a"'), { ...anAnswer(''), body: [body] });
  expect(line.includes(body)).toBe(true);
  expect(line.at(-1)).toBe(10);
});

test('a request id of the upstream cannot break out of its string', () => {
  const line = lineOf(identity('"a"'), anAnswer('1', { upstreamRequestId: 'x"},{"\n' }));
  const text = line.toString();
  expect(text.indexOf('\n')).toBe(text.length - 1);
  expect(JSON.parse(text)).toMatchObject({ response: { request_id: 'x"},{"\n', body: 1 } });
});

test('without a request id of the upstream the line has one of its own', () => {
  const line = lineOf(identity('"a"'), anAnswer('1', { upstreamRequestId: undefined }));
  expect(JSON.parse(line.toString())).toMatchObject({
    response: { request_id: requestId.slice(-32) },
  });
});

test('an answer with another status is a line like any other', () => {
  const line = lineOf(identity('"a"'), anAnswer('{"error":{}}', { status: 400 }));
  expect(JSON.parse(line.toString())).toMatchObject({
    response: { status_code: 400, body: { error: {} } },
    error: null,
  });
});

test('a line without an answer says why', () => {
  const failure = { code: 'batch_expired', message: 'Too "late".\n' };
  expect(failedLine(identity('"a"'), failure).toString()).toBe(
    `{"id":"${requestId}","custom_id":"a","response":null,"error":{"code":"batch_expired","message":"Too \\"late\\".\\n"}}\n`,
  );
});

describe('in the form bare', () => {
  const body = '{"n":12345678901234567890, "x":2e400}';

  test('the answer itself is the response', () => {
    expect(lineOf(identity('"a"'), anAnswer(body), 'bare').toString()).toBe(
      `{"id":"${requestId}","custom_id":"a","response":${body},"error":null}\n`,
    );
  });

  test('an answer with another status keeps its bytes, and the error tells the status', () => {
    const line = lineOf(identity('"a"'), anAnswer(body, { status: 422 }), 'bare');
    expect(line.toString()).toBe(
      `{"id":"${requestId}","custom_id":"a","response":${body},"error":{"code":"http_422","message":"The inference server answered with status 422; response has what it said."}}\n`,
    );
  });
});
