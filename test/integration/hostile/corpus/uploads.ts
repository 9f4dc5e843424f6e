/** Uploads in parts that announce what cannot be, and parts of what is not there. */
import { requestBytes, type HostileCase } from './hostile-case';

const good = { filename: 'in.jsonl', purpose: 'batch', bytes: 10, mime_type: 'application/jsonl' };
const json = ['Content-Type', 'application/json'] as const;
const nobodys = `upload_${'0'.repeat(32)}`;

function post(name: string, path: string, value: unknown, right: number[]): HostileCase {
  const body = JSON.stringify(value);
  return {
    name: `parts: ${name}`,
    bytes: requestBytes({ method: 'POST', path, headers: [json], body }),
    right,
  };
}

const bytes: readonly unknown[] = [-1, 1.5, 1e99, '10', null, true, [10], 1_048_577, 2 ** 53];
const filenames: readonly unknown[] = ['', 7, null, ['in.jsonl'], 'n'.repeat(300)];
const purposes: readonly unknown[] = ['', 'batch_output', '__proto__', 7, null];
const partIds: readonly unknown[] = [
  undefined,
  null,
  'part',
  {},
  [1],
  ['../x'],
  Array.from({ length: 20_000 }, () => 'part_x'),
];

export const uploadCases: readonly HostileCase[] = [
  ...bytes.map((value) =>
    post(`bytes ${JSON.stringify(value)}`, '/v1/uploads', { ...good, bytes: value }, [400]),
  ),
  ...filenames.map((value, at) =>
    post(`filename ${at}`, '/v1/uploads', { ...good, filename: value }, [400]),
  ),
  ...purposes.map((value) =>
    post(`purpose ${JSON.stringify(value)}`, '/v1/uploads', { ...good, purpose: value }, [400]),
  ),
  ...Object.keys(good).map((field) =>
    post(`no ${field}`, '/v1/uploads', { ...good, [field]: undefined }, [400]),
  ),
  ...partIds.map((value, at) =>
    post(`part ids ${at}`, `/v1/uploads/${nobodys}/complete`, { part_ids: value }, [400, 404]),
  ),
  {
    name: 'parts: data for an upload that is not there',
    bytes: requestBytes({
      method: 'POST',
      path: `/v1/uploads/${nobodys}/parts`,
      headers: [['Content-Type', 'multipart/form-data; boundary=b']],
      body: '--b\r\nContent-Disposition: form-data; name="data"; filename="x"\r\n\r\nx\r\n--b--\r\n',
    }),
    right: [404],
  },
  {
    name: 'parts: a GET of an upload',
    bytes: requestBytes({ path: `/v1/uploads/${nobodys}` }),
    right: [404, 405],
  },
];
