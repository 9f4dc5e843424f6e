/** Creates whose body is a bomb, is no JSON, or says something that it may not say. */
import { requestBytes, type HostileCase } from './hostile-case';

const good = {
  input_file_id: `file-${'0'.repeat(32)}`,
  endpoint: '/v1/chat/completions',
  completion_window: '24h',
};

const json = ['Content-Type', 'application/json'] as const;

function create(
  name: string,
  body: string | Buffer,
  right: HostileCase['right'] = [400],
  headers: readonly (readonly [string, string])[] = [json],
): HostileCase {
  return {
    name: `create: ${name}`,
    bytes: requestBytes({ method: 'POST', path: '/v1/batches', headers, body }),
    right,
  };
}

function withField(field: string, value: unknown, label?: string): HostileCase {
  const body = JSON.stringify({ ...good, [field]: value });
  return create(label ?? `${field} ${body.slice(-80)}`, body);
}

const many = (count: number, text: string): string => text.repeat(count);

const wrongTypes: readonly unknown[] = [0, 1.5, true, null, [], {}, ['x'], { x: 1 }];
const requiredFields = ['input_file_id', 'endpoint', 'completion_window'] as const;

const metadata: readonly (readonly [string, unknown])[] = [
  ['17 keys', Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v']))],
  ['a key of 65 characters', { ['k'.repeat(65)]: 'v' }],
  ['a value of 513 characters', { k: 'v'.repeat(513) }],
  ['a nested object', { k: { a: 'b' } }],
  ['a list as a value', { k: ['a'] }],
  ['a number as a value', { k: 1 }],
  ['null as a value', { k: null }],
  ['true as a value', { k: true }],
  ['a list', ['a']],
  ['a string', 'a'],
  ['a number', 7],
  ['10,000 keys', Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`k${at}`, 'v']))],
];

const endpoints = [
  '',
  '/',
  '/v1/chat/completions/',
  '/v1/chat/completions?x=1',
  '/V1/CHAT/COMPLETIONS',
  'chat/completions',
  'https://example.com/v1/chat/completions',
  '/v1/../v1/chat/completions',
  '/v1/files',
  '/v1/chat/completions\0',
  '__proto__',
  '/v1/'.repeat(5_000),
];

const windows = [
  '',
  '0h',
  '-24h',
  '24',
  '24H',
  '1h',
  '25h',
  '24h ',
  '9'.repeat(100),
  '24h\0',
  'constructor',
];

const inputIds = ['', 'x'.repeat(129), 'x'.repeat(500_000)];

const outputExpiries: readonly unknown[] = [
  'created_at',
  [],
  {},
  { anchor: 'created_at' },
  { anchor: 'created_at', seconds: 3_599 },
  { anchor: 'created_at', seconds: 2_592_001 },
  { anchor: 'created_at', seconds: '3600' },
  { anchor: 'created_at', seconds: 3_600.5 },
  { anchor: 'created_at', seconds: -1 },
  { anchor: 'last_active_at', seconds: 3_600 },
  { anchor: null, seconds: null },
];

const webhookUrls: readonly unknown[] = [
  1,
  [],
  '',
  'x',
  'ftp://example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'http://example.com/hook',
  'https://user:password@example.com/',
  'https://127.0.0.1/',
  'https://[::1]/',
  'https://169.254.169.254/latest/meta-data/',
  `https://example.com/${'x'.repeat(10_000)}`,
];

const noJson: readonly (readonly [string, string | Buffer])[] = [
  ['half an object', '{"input_file_id":'],
  ['single quotes', "{'input_file_id':'x'}"],
  ['a trailing comma', `${JSON.stringify(good).slice(0, -1)},}`],
  ['a comment', `/* hello */${JSON.stringify(good)}`],
  ['two objects', `${JSON.stringify(good)}${JSON.stringify(good)}`],
  ['NaN', '{"input_file_id":NaN}'],
  ['a raw line feed in a string', '{"input_file_id":"a\nb"}'],
  ['a raw NUL', '{"input_file_id":"a\0b"}'],
  ['only NULs', '\0'.repeat(1_000)],
  ['UTF-16', Buffer.from(JSON.stringify(good), 'utf16le')],
  ['Latin-1', Buffer.from('{"input_file_id":"caf\u{e9}"}', 'latin1')],
  ['an overlong slash', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
  ['half a UTF-8 sequence', Buffer.from([0x22, 0xe2, 0x82, 0x22])],
  ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['above U+10FFFF', Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22])],
  ['XML', '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
  ['100,000 open brackets', many(100_000, '[')],
  ['100,000 open objects', many(100_000, '{"a":')],
  ['a form', 'input_file_id=x&endpoint=y'],
  ['an unfinished string of 900 kB', `"${many(900_000, 'a')}`],
];

const bombs: readonly (readonly [string, string])[] = [
  ['100,000 nested lists', many(100_000, '[') + many(100_000, ']')],
  ['100,000 nested objects', `${many(100_000, '{"a":')}1${many(100_000, '}')}`],
  ['300,000 empty objects', `[${many(300_000, '{},')}{}]`],
  ['a number of 900 kB', many(900_000, '9')],
  ['1e400', '1e400'],
  ['a string of a million characters', `"${many(1_000_000, 'a')}"`],
  ['150,000 escapes', `"${many(150_000, '\\u0000')}"`],
  ['a lone surrogate', '"\\ud800"'],
  ['null', 'null'],
  ['true', 'true'],
  ['a number', '1'],
  ['a string', '"x"'],
  ['an empty list', '[]'],
  ['a list of a create', JSON.stringify([good])],
  [
    '__proto__ in place of fields',
    JSON.stringify({ x: 1 }).replace('"x":1', `"__proto__":${JSON.stringify(good)}`),
  ],
  ['constructor.prototype', `{"constructor":{"prototype":${JSON.stringify(good)}}}`],
  ['an empty object', '{}'],
  ['nothing', ''],
];

const contentTypes: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ['text/plain', [['Content-Type', 'text/plain']]],
  ['multipart/form-data', [['Content-Type', 'multipart/form-data; boundary=x']]],
  ['application/jsonl', [['Content-Type', 'application/jsonl']]],
  ['application/json in gzip', [json, ['Content-Encoding', 'gzip']]],
  ['application/json in br', [json, ['Content-Encoding', 'br']]],
];

/** The client goes away after so much of the body. */
const cutBodies = Array.from({ length: 10 }, (_, index) => {
  const whole = JSON.stringify(good);
  const end = Math.floor((index * whole.length) / 10);
  const cut = create(`the client goes away after ${end} bytes`, whole, 'cut');
  return { ...cut, bytes: cut.bytes.subarray(0, cut.bytes.length - whole.length + end) };
});

export const jsonCases: readonly HostileCase[] = [
  ...cutBodies,
  ...noJson.map(([name, body]) => create(`no JSON: ${name}`, body)),
  ...bombs.map(([name, body]) => create(name, body)),
  create('a body above a megabyte', `"${many(1_100_000, 'a')}"`, [413]),
  ...contentTypes.map(([name, headers]) => create(name, JSON.stringify(good), [415], headers)),
  ...requiredFields.flatMap((field) => [
    ...wrongTypes.map((value) => withField(field, value)),
    withField(field, undefined, `no ${field}`),
  ]),
  ...metadata.map(([name, value]) => withField('metadata', value, `metadata with ${name}`)),
  ...endpoints.map((value) =>
    withField('endpoint', value, `endpoint ${JSON.stringify(value.slice(0, 60))}`),
  ),
  ...windows.map((value) =>
    withField('completion_window', value, `window ${JSON.stringify(value.slice(0, 40))}`),
  ),
  ...inputIds.map((value) =>
    withField('input_file_id', value, `an input id of ${value.length} characters`),
  ),
  ...outputExpiries.map((value) => withField('output_expires_after', value)),
  ...webhookUrls.map((value) =>
    withField('webhook_url', value, `webhook ${JSON.stringify(value).slice(0, 60)}`),
  ),
  ...['', 'k'.repeat(256), 'caf\u{e9}', 'a\tb'].map((key) =>
    create(
      `idempotency key ${JSON.stringify(key.slice(0, 20))}`,
      '{}',
      [400],
      [json, ['Idempotency-Key', key]],
    ),
  ),
];
