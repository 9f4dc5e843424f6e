/**
 * An upstream that costs as little as possible for each request, so that it never is what limits a
 * measurement: a raw socket server with one canned answer, in a process of its own.
 *
 * `GET /_stats` tells {@link RawUpstreamStats}, `GET /_reset` begins to count anew. Its one line on
 * standard output is the port that it listens on, as JSON; it ends when its standard input does.
 */
import { cannedAnswer } from './canned-answer';
import { httpAnswer, serveProgram } from './raw-http';

export interface RawUpstreamStats {
  readonly requests: number;
  /** Milliseconds since 1970; null before the first request. */
  readonly firstRequestAt: number | null;
  readonly lastRequestAt: number | null;
}

const answer = httpAnswer(cannedAnswer);

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

function control(header: string): string {
  if (header.startsWith('GET /_reset ')) {
    counters = new Counters();
  }
  const { requests, firstRequestAt, lastRequestAt } = counters;
  return JSON.stringify({ requests, firstRequestAt, lastRequestAt } satisfies RawUpstreamStats);
}

serveProgram({
  onGet: (socket, header) => {
    socket.write(httpAnswer(control(header.toString('latin1'))));
  },
  onRequest: (socket) => {
    counters.count();
    socket.write(answer);
  },
});
