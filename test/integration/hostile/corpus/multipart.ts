/** Uploads that are broken, lie, or break off. */
import { requestBytes, type HostileCase } from './hostile-case';

const boundary = 'longhaul-boundary';
const line = '{"custom_id":"a"}\n';

interface Part {
  readonly head: string;
  readonly content: string | Buffer;
}

const file: Part = {
  head: 'Content-Disposition: form-data; name="file"; filename="in.jsonl"\r\nContent-Type: application/octet-stream',
  content: line,
};
const purpose = field('purpose', 'batch');

function field(name: string, content: string): Part {
  return { head: `Content-Disposition: form-data; name="${name}"`, content };
}

function form(parts: readonly Part[], end = `--${boundary}--\r\n`): Buffer {
  return Buffer.concat([
    ...parts.flatMap(({ head, content }) => [
      Buffer.from(`--${boundary}\r\n${head}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(end),
  ]);
}

const formType = ['Content-Type', `multipart/form-data; boundary=${boundary}`] as const;

function upload(
  name: string,
  body: Buffer | string,
  options: {
    readonly right?: HostileCase['right'];
    readonly headers?: readonly (readonly [string, string])[];
    readonly contentLength?: number | string | undefined;
  } = {},
): HostileCase {
  const { right = [400], headers = [formType], ...rest } = options;
  const bytes = requestBytes({ method: 'POST', path: '/v1/files', headers, body, ...rest });
  return { name: `upload: ${name}`, bytes, right };
}

const whole = form([purpose, file]);

const types: readonly (readonly [string, readonly (readonly [string, string])[], number[]])[] = [
  ['no content type', [], [400, 415]],
  ['no boundary', [['Content-Type', 'multipart/form-data']], [400]],
  ['an empty boundary', [['Content-Type', 'multipart/form-data; boundary=']], [400]],
  ['a quoted empty boundary', [['Content-Type', 'multipart/form-data; boundary=""']], [400]],
  ['another boundary', [['Content-Type', 'multipart/form-data; boundary=other']], [400]],
  [
    'a boundary of 10 kB',
    [['Content-Type', `multipart/form-data; boundary=${'b'.repeat(10_000)}`]],
    [400],
  ],
  ['multipart/mixed', [['Content-Type', `multipart/mixed; boundary=${boundary}`]], [415]],
  ['a URL-encoded form', [['Content-Type', 'application/x-www-form-urlencoded']], [415]],
  ['JSON', [['Content-Type', 'application/json']], [415]],
  ['a content type that is none', [['Content-Type', ';;;']], [400, 415]],
  ['a compressed body', [formType, ['Content-Encoding', 'gzip']], [415]],
  ['an unknown coding', [formType, ['Content-Encoding', 'x-bomb']], [415]],
];

const purposes = [
  '',
  ' ',
  'Batch',
  'batch_output',
  'vector_store',
  '../batch',
  'batch\0',
  '__proto__',
];

const seconds = [
  '',
  '0',
  '-1',
  '3599',
  '2592001',
  '1e9',
  '0x1000',
  ' 3600',
  '3600.5',
  'NaN',
  '9'.repeat(400),
  '３６００',
];

const names = [
  'file[a][b]',
  'file[]',
  '__proto__',
  'constructor[prototype][x]',
  'x'.repeat(10_000),
  '',
  'fi\0le',
  '\u{202e}elif',
];

const cutsOfWhole = Array.from({ length: 40 }, (_, index) =>
  Math.floor(((index + 1) * whole.length) / 41),
);

export const multipartCases: readonly HostileCase[] = [
  ...types.map(([name, headers, right]) => upload(name, whole, { headers, right })),
  ...purposes.map((text) =>
    upload(`purpose ${JSON.stringify(text)}`, form([field('purpose', text), file])),
  ),
  ...seconds.map((text) =>
    upload(
      `expires_after[seconds] ${JSON.stringify(text.slice(0, 20))}`,
      form([
        purpose,
        field('expires_after[anchor]', 'created_at'),
        field('expires_after[seconds]', text),
        file,
      ]),
    ),
  ),
  ...['', 'now', 'last_active_at', 'created_at\0'].map((text) =>
    upload(
      `expires_after[anchor] ${JSON.stringify(text)}`,
      form([
        purpose,
        field('expires_after[anchor]', text),
        field('expires_after[seconds]', '3600'),
        file,
      ]),
    ),
  ),
  ...names.map((name) =>
    upload(
      `only a part named ${JSON.stringify(name.slice(0, 20))}`,
      form([
        { head: `Content-Disposition: form-data; name="${name}"; filename="x"`, content: 'x' },
      ]),
    ),
  ),
  upload('nothing at all', ''),
  upload('only the final boundary', `--${boundary}--\r\n`),
  upload('no final boundary', form([purpose, file], '')),
  upload('half a final boundary', form([purpose, file], `--${boundary}`)),
  upload('no file', form([purpose])),
  upload('no purpose', form([file])),
  upload('an empty file', form([purpose, { ...file, content: '' }])),
  upload(
    'a file that is no JSONL under another name',
    form([purpose, { head: file.head.replace('in.jsonl', 'in.exe'), content: 'MZ\0' }]),
  ),
  upload('two files', form([purpose, file, file])),
  upload('a hundred files', form([purpose, ...Array.from({ length: 100 }, () => file)])),
  upload(
    'a thousand fields',
    form([purpose, ...Array.from({ length: 1_000 }, (_, at) => field(`f${at}`, 'x')), file]),
  ),
  upload('a field of 2 MB', form([field('purpose', 'b'.repeat(2_000_000)), file])),
  upload(
    'a part with 10,000 headers',
    form([
      purpose,
      { head: `${file.head}\r\n${'X-A: b\r\n'.repeat(10_000)}X-End: 1`, content: line },
    ]),
    { right: [200, 400] },
  ),
  upload(
    'a part head of 1 MB',
    form([purpose, { head: `${file.head}\r\nX-A: ${'b'.repeat(1_000_000)}`, content: line }]),
  ),
  upload('a part without headers', form([purpose, { head: '', content: line }])),
  upload(
    'a part without disposition',
    form([purpose, { head: 'Content-Type: text/plain', content: line }]),
  ),
  upload(
    'an attachment in place of form-data',
    form([
      purpose,
      { head: 'Content-Disposition: attachment; name="file"; filename="in.jsonl"', content: line },
    ]),
  ),
  upload(
    'a filename of 300 characters',
    form([
      purpose,
      { head: file.head.replace('in.jsonl', `${'n'.repeat(300)}.jsonl`), content: line },
    ]),
  ),
  upload('lines that end in CR only', Buffer.from(whole.toString().replaceAll('\r\n', '\r'))),
  upload('lines that end in LF only', Buffer.from(whole.toString().replaceAll('\r\n', '\n'))),
  upload('a megabyte of preamble and no form', 'p'.repeat(1_000_000)),
  upload('the boundary a thousand times', `--${boundary}\r\n`.repeat(1_000)),
  upload(
    'random bytes',
    Buffer.from(Array.from({ length: 65_536 }, (_, at) => (at * 7_919) & 0xff)),
  ),
  upload('a file above the limit', form([purpose, { ...file, content: line.repeat(70_000) }])),
  upload(
    'a file above the limit, then silence',
    Buffer.concat([
      form([purpose], ''),
      Buffer.from(`--${boundary}\r\n${file.head}\r\n\r\n`),
      Buffer.from(line.repeat(70_000)),
    ]),
    { contentLength: 20_000_000 },
  ),
  upload('a length that is too short', whole, { contentLength: whole.length - 30 }),
  upload('a length that is too long', whole, {
    contentLength: whole.length + 100,
    right: [200, 400, 408],
  }),
  upload('a negative length', whole, { contentLength: '-1' }),
  upload('a length that is no number', whole, { contentLength: '12abc' }),
  upload('a length of 2^64', whole, { contentLength: '18446744073709551616' }),
  upload('chunks and a length', whole, { headers: [formType, ['Transfer-Encoding', 'chunked']] }),
  upload('chunks of no number', Buffer.from('zz\r\nabc\r\n0\r\n\r\n'), {
    headers: [formType, ['Transfer-Encoding', 'chunked']],
    contentLength: undefined,
  }),
  upload('a chunk of 2^63', Buffer.from('8000000000000000\r\nabc'), {
    headers: [formType, ['Transfer-Encoding', 'chunked']],
    contentLength: undefined,
    right: [400, 408],
  }),
  upload('an endless chunk extension', Buffer.from(`1;${'x'.repeat(100_000)}\r\na\r\n0\r\n\r\n`), {
    headers: [formType, ['Transfer-Encoding', 'chunked']],
    contentLength: undefined,
    right: [400, 413],
  }),
  upload('chunks that are not the last coding', whole, {
    headers: [formType, ['Transfer-Encoding', 'chunked, gzip']],
    contentLength: undefined,
  }),
  ...cutsOfWhole.map((end) =>
    upload(`the client goes away after ${end} bytes`, whole.subarray(0, end), {
      contentLength: whole.length,
      right: 'cut',
    }),
  ),
];
