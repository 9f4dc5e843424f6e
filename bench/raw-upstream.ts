/**
 * An upstream that costs as little as possible for each request, so that it never is what limits a
 * measurement: a raw socket server with one canned answer, in a process of its own.
 *
 * It understands just enough of HTTP/1.1: keep-alive, requests with `content-length`, `GET /_stats`
 * and `GET /_reset`. Its one line on standard output is the port that it listens on, as JSON; it
 * ends when its standard input does.
 */
import { createServer, type AddressInfo, type Socket } from 'node:net';

export interface RawUpstreamStats {
  readonly requests: number;
  /** Milliseconds since 1970; null before the first request. */
  readonly firstRequestAt: number | null;
  readonly lastRequestAt: number | null;
}

const completion = JSON.stringify({
  id: 'chatcmpl-bench-0000000000000000',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'bench-model',
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: 'The answer to this request is always the same one.' },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 24, completion_tokens: 11, total_tokens: 35 },
});
const answer = httpAnswer(completion);

const endOfHeader = Buffer.from('\r\n\r\n');
const contentLength = Buffer.from('content-length: ');
const letterG = 0x47;
const zero = 0x30;
const nine = 0x39;

class Counters {
  requests = 0;
  firstRequestAt: number | null = null;
  lastRequestAt: number | null = null;

  count(): void {
    this.requests += 1;
    this.lastRequestAt = Date.now();
    this.firstRequestAt ??= this.lastRequestAt;
  }
}

let counters = new Counters();

function serve(socket: Socket): void {
  let kept: Buffer | undefined;
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
        counters.count();
        socket.write(answer);
      }
      if (bytes.length === 0) {
        return;
      }
      const end = bytes.indexOf(endOfHeader);
      if (end === -1) {
        kept = bytes;
        return;
      }
      const header = bytes.subarray(0, end);
      bytes = bytes.subarray(end + endOfHeader.length);
      if (header[0] === letterG) {
        socket.write(httpAnswer(control(header.toString('latin1'))));
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

function control(header: string): string {
  if (header.startsWith('GET /_reset ')) {
    counters = new Counters();
  }
  const { requests, firstRequestAt, lastRequestAt } = counters;
  return JSON.stringify({ requests, firstRequestAt, lastRequestAt } satisfies RawUpstreamStats);
}

function httpAnswer(body: string): Buffer {
  return Buffer.from(
    [
      'HTTP/1.1 200 OK',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}

const server = createServer(serve);
server.listen(0, '127.0.0.1', 4_096, () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
process.stdin.resume().once('end', () => process.exit());
