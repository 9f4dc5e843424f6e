import type { IncomingMessage, ServerResponse } from 'node:http';

const discardMsMax = 10_000;

/**
 * Bounds what is read of a request that was answered before its body had arrived, such as an upload
 * with a wrong key. Closing the connection at once would reset it, and many clients would then lose
 * the answer; so the rest is discarded for a while first.
 */
export function boundUnreadBody(request: IncomingMessage, response: ServerResponse): void {
  response.once('finish', () => {
    if (request.complete) {
      return;
    }
    const timer = setTimeout(() => request.destroy(), discardMsMax).unref();
    request.once('close', () => {
      clearTimeout(timer);
    });
    request.resume();
  });
}
