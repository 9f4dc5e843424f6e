/**
 * HTTP for the S3 client, which has no time limits of its own: against a store that accepts
 * connections and says nothing, its calls would hang for ever.
 */
import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';

export interface TransportOptions {
  readonly isSecure: boolean;
  readonly socketsMax: number;
  readonly connectTimeoutMs: number;
  /** A request whose connection is silent for this long fails. */
  readonly idleTimeoutMs: number;
  /** Set where readers set their own pace: the idle timeout then ends with the response's headers. */
  readonly isPacedByReader: boolean;
}

export interface S3Transport {
  readonly request: typeof http.request;
  /** Closes every connection. */
  close(): void;
}

/** Answers for a moment only, which the S3 client would retry without closing the first of them. */
const momentaryStatuses: ReadonlySet<number | undefined> = new Set([
  408, 429, 499, 500, 502, 503, 504, 520,
]);

/** Below MinIO's 30 s, so that a connection is not used just as the server closes it. */
const keepAliveMs = 20_000;

export function createTransport(options: TransportOptions): S3Transport {
  const { request: send, Agent } = options.isSecure ? https : http;
  const agent = new Agent({
    keepAlive: true,
    maxSockets: options.socketsMax,
    timeout: keepAliveMs,
  });

  function request(
    given: https.RequestOptions,
    onResponse: (response: http.IncomingMessage) => void,
  ): http.ClientRequest {
    const sent = send({ ...given, agent, timeout: options.idleTimeoutMs }, (response) => {
      if (momentaryStatuses.has(response.statusCode)) {
        response.on('error', ignore).resume();
        sent.emit('error', new Error(`The store answered ${response.statusCode ?? 'nothing'}`));
        return;
      }
      if (options.isPacedByReader) {
        response.socket.setTimeout(0);
      }
      onResponse(response);
    });
    sent.on('timeout', () => {
      sent.destroy(new Error(`The store was silent for ${options.idleTimeoutMs} ms`));
    });
    sent.on('socket', (socket) => {
      limitConnecting(sent, socket, options.connectTimeoutMs);
    });
    return sent;
  }

  return {
    // The S3 client uses this one of the overloads.
    request: request as typeof http.request,
    close: () => {
      agent.destroy();
    },
  };
}

function limitConnecting(request: http.ClientRequest, socket: Socket, timeoutMs: number): void {
  if (!socket.connecting) {
    return;
  }
  const timer = setTimeout(() => {
    request.destroy(new Error(`The store did not accept a connection within ${timeoutMs} ms`));
  }, timeoutMs);
  const stop = (): void => {
    clearTimeout(timer);
  };
  socket.once('connect', stop).once('close', stop);
}

function ignore(): void {
  // The answer is already known.
}
