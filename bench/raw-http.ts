/**
 * Just enough of HTTP/1.1 for upstreams that cost little: keep-alive, one request after the other on
 * a connection, and the length of a body in `content-length`, as undici writes it.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';

const endOfHeader = Buffer.from('\r\n\r\n');
const contentLength = Buffer.from('content-length: ');
const letterG = 0x47;
const zero = 0x30;
const nine = 0x39;

/** What is sent is not limited: only our own processes are served. */
export interface RawHttpHandler {
  /** A `GET`: its first line and headers. */
  onGet(socket: Socket, header: Buffer): void;
  /** Any other request, once its body, which is skipped, has been received. */
  onRequest(socket: Socket, header: Buffer): void;
}

/**
 * Serves on a free port of loopback, which becomes the program's one line on standard output; ends
 * the program with its standard input.
 */
export function serveProgram(handler: RawHttpHandler): void {
  const server = createServer((socket) => {
    serve(socket, handler);
  });
  server.listen(0, '127.0.0.1', 4_096, () => {
    process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
  });
  process.stdin.resume().once('end', () => process.exit());
}

export function httpAnswer(
  body: string,
  status = '200 OK',
  headers: readonly string[] = [],
): Buffer {
  return Buffer.from(
    [
      `HTTP/1.1 ${status}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      ...headers,
      '',
      body,
    ].join('\r\n'),
  );
}

function serve(socket: Socket, handler: RawHttpHandler): void {
  let kept: Buffer | undefined;
  let header = endOfHeader;
  let bodyBytesLeft = 0;
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    let bytes = kept === undefined ? chunk : Buffer.concat([kept, chunk]);
    kept = undefined;
    while (bytes.length > 0) {
      const skipped = Math.min(bodyBytesLeft, bytes.length);
      bodyBytesLeft -= skipped;
      bytes = bytes.subarray(skipped);
      if (skipped > 0 && bodyBytesLeft === 0) {
        handler.onRequest(socket, header);
      }
      if (bytes.length === 0) {
        return;
      }
      const end = bytes.indexOf(endOfHeader);
      if (end === -1) {
        kept = bytes;
        return;
      }
      header = bytes.subarray(0, end);
      bytes = bytes.subarray(end + endOfHeader.length);
      if (header[0] === letterG) {
        handler.onGet(socket, header);
      } else {
        bodyBytesLeft = readContentLength(header);
      }
    }
  });
}

/** undici writes the name in lower case; a request without a body is not expected. */
function readContentLength(header: Buffer): number {
  let at = header.lastIndexOf(contentLength);
  if (at === -1) {
    throw new Error('The request has no content-length.');
  }
  let value = 0;
  at += contentLength.length;
  for (let byte = header[at] ?? 0; byte >= zero && byte <= nine; byte = header[at] ?? 0) {
    value = value * 10 + byte - zero;
    at += 1;
  }
  return value;
}
