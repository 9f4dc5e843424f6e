/** What a hostile request is made of. */

export interface HostileCase {
  /** Told when it fails; different for each case. */
  readonly name: string;
  /** What goes over the wire, byte by byte as it stands here. */
  readonly bytes: Buffer;
  /**
   * The statuses that are right, most often one; several where a proxy, a parser and a handler may
   * each refuse first. `cut`: the client goes away, and there is nobody to answer.
   */
  readonly right: readonly number[] | 'cut';
  /** The bytes come one at a time, with a pause after each. */
  readonly isSlow?: true;
}

interface RequestParts {
  readonly method?: string;
  readonly path: string;
  /** The key is among them unless this says otherwise. */
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Buffer;
  /** Tells the length of the body; `undefined` leaves the header out. */
  readonly contentLength?: number | string | undefined;
  readonly withoutKey?: boolean;
}

export const apiKey = 'sk-hostile-0123456789abcdef';

/** The bytes of a request, whatever its headers say. */
export function requestBytes(parts: RequestParts): Buffer {
  const body = Buffer.from(parts.body ?? '');
  const length = 'contentLength' in parts ? parts.contentLength : body.length;
  const lines = [
    `${parts.method ?? 'GET'} ${parts.path} HTTP/1.1`,
    'Host: longhaul.test',
    'Connection: close',
    ...(parts.withoutKey === true ? [] : [`Authorization: Bearer ${apiKey}`]),
    ...(parts.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    ...(length === undefined ? [] : [`Content-Length: ${length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]);
}
