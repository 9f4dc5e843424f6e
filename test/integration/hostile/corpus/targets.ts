/** Paths, ids and queries that try to leave their place. */
import { requestBytes, type HostileCase } from './hostile-case';

const ids: readonly (readonly [string, string])[] = [
  ['dots', '..'],
  ['encoded dots', '%2e%2e'],
  ['dots and slashes', '%2e%2e%2f%2e%2e%2fopen'],
  ['backslashes', '..%5c..%5copen'],
  ['double encoding', '%252e%252e%252f'],
  ['overlong dots', '%c0%ae%c0%ae'],
  ['NUL', '%00'],
  ['NUL behind an id', `file-${'0'.repeat(32)}%00`],
  ['line feed', '%0a'],
  ['header injection', 'x%0d%0aX-Evil:%201'],
  ['a broken escape', '%'],
  ['another broken escape', '%zz'],
  ['10 kB', 'x'.repeat(10_000)],
  ['10 kB of escapes', '%41'.repeat(3_400)],
  ['upper case', `BATCH_${'A'.repeat(32)}`],
  ['a batch for a file', `batch_${'0'.repeat(32)}`],
  ['one digit too many', `file-${'0'.repeat(33)}`],
  ['a full-width id', encodeURIComponent(`file-${'０'.repeat(32)}`)],
  ['prototype', '__proto__'],
  ['constructor', 'constructor'],
  ['SQL', encodeURIComponent("' OR 1=1 --")],
  ['a script', encodeURIComponent('<script>alert(1)</script>')],
  ['right to left', encodeURIComponent('\u{202e}gnp.exe')],
  ['only spaces', '%20%20'],
];

const targets: readonly (readonly [string, (id: string) => string])[] = [
  ['GET', (id) => `/v1/files/${id}`],
  ['GET', (id) => `/v1/files/${id}/content`],
  ['DELETE', (id) => `/v1/files/${id}`],
  ['GET', (id) => `/v1/batches/${id}`],
  ['POST', (id) => `/v1/batches/${id}/cancel`],
  ['GET', (id) => `/v1/models/${id}`],
  ['POST', (id) => `/v1/uploads/${id}/cancel`],
];

const queries: readonly (readonly [string, string, number[]])[] = [
  ['/v1/batches', 'limit=-1', [400]],
  ['/v1/batches', 'limit=101', [400]],
  ['/v1/batches', 'limit=abc', [400]],
  ['/v1/batches', 'limit=1e2', [400]],
  ['/v1/batches', 'limit=0x10', [400]],
  ['/v1/batches', `limit=${'9'.repeat(5_000)}`, [400]],
  ['/v1/batches', 'limit=1&limit=2', [400]],
  ['/v1/batches', 'after=a&after=b', [400]],
  ['/v1/batches', 'limit=%31%00', [400]],
  ['/v1/files', 'limit=10001', [400]],
  ['/v1/files', 'order=sideways', [400]],
  ['/v1/files', 'order=asc&order=desc', [400]],
  ['/v1/files', 'purpose=a&purpose=b', [400]],
  ['/v1/files', 'limit=1.5', [400]],
  ['/v1/batches', 'limit[]=1', [200, 400]],
  ['/v1/batches', 'limit[a][b]=1', [200, 400]],
  ['/v1/batches', '__proto__[limit]=1', [200]],
  ['/v1/batches', 'constructor[prototype][limit]=1', [200]],
  ['/v1/batches', 'after=..%2f..%2fopen%2f', [200]],
  ['/v1/batches', `after=${'x'.repeat(10_000)}`, [200]],
  ['/v1/files', 'after=%00', [200]],
  ['/v1/files', 'after=%ff%fe', [200]],
  ['/v1/files', `purpose=${encodeURIComponent("'; DROP TABLE files;")}`, [200]],
  ['/v1/batches', Array.from({ length: 2_000 }, (_, at) => `k${at}=v`).join('&'), [200, 431]],
  ['/v1/batches', '&&&==&%', [200, 400]],
];

const paths: readonly (readonly [string, string, number[]])[] = [
  ['GET', '/', [404]],
  ['GET', '/v1', [404]],
  ['GET', '/v2/files', [404]],
  ['GET', '/.env', [404]],
  ['GET', '/v1/files/../../etc/passwd', [404]],
  ['GET', '/%2e%2e/%2e%2e/etc/passwd', [404]],
  ['GET', '//etc/passwd', [404]],
  ['GET', '/v1/%66iles/%', [400, 404]],
  ['GET', 'http://[', [400]],
  ['GET', '*', [400, 404]],
  ['GET', `/${'a/'.repeat(5_000)}`, [404]],
  ['GET', `/${'a'.repeat(60_000)}`, [404, 414, 431]],
  ['GET', `/${'a'.repeat(100_000)}`, [400, 414, 431]],
  ['PUT', '/v1/files', [405]],
  ['PATCH', '/v1/batches', [405]],
  ['DELETE', '/v1/batches', [405]],
  ['DELETE', `/v1/batches/batch_${'0'.repeat(32)}`, [405]],
  ['TRACE', '/v1/files', [405]],
  ['OPTIONS', '/v1/nothing', [404]],
  ['PROPFIND', '/v1/files', [405]],
  ['DELETE', '/v1/models/small', [405]],
];

export const targetCases: readonly HostileCase[] = [
  ...targets.flatMap(([method, pathOf]) =>
    ids.map(([name, id]) => ({
      name: `target: ${method} ${pathOf(`(${name})`)}`,
      bytes: requestBytes({ method, path: pathOf(id) }),
      // Dots are resolved by no one here, so they are ids that nobody has; broken escapes are 400.
      right: [400, 404, 405],
    })),
  ),
  ...queries.map(([path, query, right]) => ({
    name: `query: ${path}?${query.slice(0, 60)}`,
    bytes: requestBytes({ path: `${path}?${query}` }),
    right,
  })),
  ...paths.map(([method, path, right]) => ({
    name: `path: ${method} ${path.slice(0, 60)} (${path.length})`,
    bytes: requestBytes({ method, path }),
    right,
  })),
];
