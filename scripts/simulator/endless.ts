/** Answers that do not come to an end before their receiver gives up. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';

const trickleMs = 20;
const chunk = Buffer.alloc(64 * 1024, 'x');
const header = `X-Header: ${'x'.repeat(1_000)}\r\n`;

/** A body that is never silent for long, and says nothing. */
export function trickle(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const timer = setInterval(() => response.write(' '), trickleMs);
  response.once('close', () => {
    clearInterval(timer);
  });
}

/** A body as fast as it is read. */
export function pourBody(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"padding":"');
  pour(response, chunk);
}

/** The same in headers, which no HTTP server would write by itself. */
export function pourHeaders(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n');
  pour(socket, Buffer.from(header));
}

function pour(to: Writable, bytes: Buffer): void {
  const write = (): void => {
    let hasRoom = true;
    while (hasRoom && !to.destroyed) {
      hasRoom = to.write(bytes);
    }
  };
  to.on('drain', write);
  write();
}
