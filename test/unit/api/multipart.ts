/** Multipart forms byte by byte, as clients and hand-written scripts send them. */

const boundary = 'longhaul-test-boundary';
export const multipartType = { 'content-type': `multipart/form-data; boundary=${boundary}` };

export interface Part {
  readonly name: string;
  readonly value: string | Buffer;
  readonly filename?: string;
}

export function filePart(value: string | Buffer, filename = 'in.jsonl'): Part {
  return { name: 'file', value, filename };
}

export const batchPurpose: Part = { name: 'purpose', value: 'batch' };

export function multipart(parts: readonly Part[]): Buffer {
  const chunks = parts.flatMap(({ name, value, filename }) => [
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${
        filename === undefined
          ? ''
          : `; filename="${filename}"\r\nContent-Type: application/octet-stream`
      }\r\n\r\n`,
    ),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
}
