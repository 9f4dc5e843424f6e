/** Heads of requests: keys, headers, and what is no HTTP at all. */
import { apiKey, requestBytes, type HostileCase } from './hostile-case';

type Header = readonly [string, string];

function head(name: string, headers: readonly Header[], right: number[]): HostileCase {
  return { name: `head: ${name}`, bytes: requestBytes({ path: '/v1/models', headers }), right };
}

function raw(name: string, text: string | Buffer, right: HostileCase['right']): HostileCase {
  return { name: `raw: ${name}`, bytes: Buffer.from(text), right };
}

const keys: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['only Bearer', 'Bearer'],
  ['a wrong key', 'Bearer sk-wrong-0123456789abcdef'],
  ['the key and more', `Bearer ${apiKey}0`],
  ['the key without its end', `Bearer ${apiKey.slice(0, -1)}`],
  ['Basic', 'Basic dXNlcjpwYXNzd29yZA=='],
  ['10 kB', `Bearer ${'k'.repeat(10_000)}`],
  ['a path', 'Bearer ../../api-keys/0123456789abcdef'],
  ['a key of the right form', `Bearer sk-longhaul-${'0'.repeat(16)}-${'0'.repeat(40)}`],
  ['not ASCII', 'Bearer caf\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}'],
  ['two keys', `Bearer ${apiKey}, Bearer ${apiKey}`],
];

const good = `GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${apiKey}\r\n`;

export const headCases: readonly HostileCase[] = [
  ...keys.map(([name, value]) => ({
    name: `key: ${name}`,
    bytes: requestBytes({
      path: '/v1/models',
      withoutKey: true,
      headers: value === '' ? [] : [['Authorization', value]],
    }),
    right: [401],
  })),
  head('a client request id of 513 characters', [['X-Client-Request-Id', 'r'.repeat(513)]], [400]),
  head('a client request id that is not ASCII', [['X-Client-Request-Id', 'caf\u{e9}']], [400]),
  head(
    '10,000 headers',
    Array.from({ length: 10_000 }, (_, at): Header => [`X-${at}`, 'v']),
    [431],
  ),
  head('a header of 70 kB', [['X-Long', 'v'.repeat(70_000)]], [431]),
  head('a header with an empty name', [['', 'v']], [400]),
  head('a header name with a space', [['X Y', 'v']], [400]),
  head('a header value with NUL', [['X-A', 'a\0b']], [400]),
  head('a folded header', [['X-A', 'a\r\n b']], [200, 400]),
  head('a range that is none', [['Range', 'bytes=a-b']], [200]),
  head('a thousand ranges', [['Range', `bytes=${'0-1,'.repeat(1_000)}2-3`]], [200]),
  head('an Accept that fits nothing', [['Accept', 'image/png']], [200]),
  head('a host that is none', [['Host', '!!!']], [200, 400]),
  head(
    'an upgrade to another protocol',
    [
      ['Upgrade', 'h2c'],
      ['Connection', 'upgrade'],
    ],
    [200, 400],
  ),
  head('an unknown expectation', [['Expect', '200-maybe']], [200, 417]),
  head(
    'forwarded addresses',
    [
      ['X-Forwarded-For', '127.0.0.1'],
      ['Forwarded', 'for=127.0.0.1'],
    ],
    [200],
  ),
  head('a method in a header', [['X-HTTP-Method-Override', 'DELETE']], [200]),
  raw(
    'random bytes',
    Buffer.from(Array.from({ length: 4_096 }, (_, at) => (at * 131) & 0xff)),
    [400],
  ),
  raw('a TLS hello', Buffer.from('16030100a5010000a10303', 'hex'), 'cut'),
  raw('an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 405]),
  raw('HTTP/9.9', good.replace('HTTP/1.1', 'HTTP/9.9') + '\r\n', [400, 505]),
  raw('an unknown method', good.replace('GET', 'EXPLODE') + '\r\n', [400, 404, 405]),
  raw('a method in lower case', good.replace('GET', 'get') + '\r\n', [400, 405]),
  raw('no target', 'GET  HTTP/1.1\r\nHost: x\r\n\r\n', [400]),
  raw('no version', 'GET /v1/models\r\n\r\n', [400, 401, 505]),
  raw(
    'no host',
    `GET /v1/models HTTP/1.1\r\nConnection: close\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`,
    [200, 400],
  ),
  raw('two hosts', `${good}Host: y\r\n\r\n`, [200, 400]),
  raw('a body on a GET', `${good}Content-Length: 5\r\n\r\nhello`, [200]),
  raw('two lengths', `${good}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`, [400]),
  raw('line feeds only', good.replaceAll('\r\n', '\n') + '\n', [200, 400]),
  raw('half a head, then gone', good, 'cut'),
  raw('nothing, then gone', '', 'cut'),
  raw(
    'a second request smuggled behind a length',
    `${good.replace('GET', 'POST').replace('/v1/models', '/v1/batches')}Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/files HTTP/1.1\r\n\r\n`,
    [400],
  ),
];
