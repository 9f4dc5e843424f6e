/** Clients that send a byte at a time. Each request is wrong in the end, so that nothing is kept. */
import { requestBytes, type HostileCase } from './hostile-case';

function slow(name: string, parts: Parameters<typeof requestBytes>[0], right: number): HostileCase {
  return { name: `slow: ${name}`, bytes: requestBytes(parts), right: [right], isSlow: true };
}

const json = ['Content-Type', 'application/json'] as const;
const form = ['Content-Type', 'multipart/form-data; boundary=b'] as const;

function formOf(purpose: string, end = '--b--\r\n'): string {
  return [
    '--b\r\nContent-Disposition: form-data; name="file"; filename="in.jsonl"\r\n\r\n{}\r\n',
    `--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n${purpose}\r\n`,
    end,
  ].join('');
}

const oneByteChunks = Array.from(
  '{"input_file_id":7}',
  (character) => `1\r\n${character}\r\n`,
).join('');

export const slowCases: readonly HostileCase[] = [
  slow('a head', { path: '/v1/nothing' }, 404),
  slow('a head without a key', { path: '/v1/files', withoutKey: true }, 401),
  slow('a create', { method: 'POST', path: '/v1/batches', headers: [json], body: '{"a":' }, 400),
  slow(
    'a create in chunks of a byte',
    {
      method: 'POST',
      path: '/v1/batches',
      headers: [json, ['Transfer-Encoding', 'chunked']],
      contentLength: undefined,
      body: `${oneByteChunks}0\r\n\r\n`,
    },
    400,
  ),
  slow(
    'an upload',
    { method: 'POST', path: '/v1/files', headers: [form], body: formOf('nothing') },
    400,
  ),
  slow(
    'an upload that stops',
    {
      method: 'POST',
      path: '/v1/files',
      headers: [form],
      body: formOf('batch', ''),
      contentLength: 10_000,
    },
    408,
  ),
];
