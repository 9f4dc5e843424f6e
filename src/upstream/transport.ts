import { buildConnector, type Client } from 'undici';
import type { UpstreamConfig } from '../config/upstreams';
import type { Clock } from './clock';
import { readLoadOverHttp, type ReadLoad } from './engine-metrics';
import { HttpConnection, type Connection, type ConnectionOptions } from './exchange';
import { lookOverHttp, type Look } from './health-check';

const connectTimeoutMsMax = 10_000;
/** A list of models is at hand at once; an orchestrator's own probe would wait for a second or so. */
const healthCheckTimeoutMs = 5_000;
/** Older figures say little. */
const metricsTimeoutMs = 2_000;

/** How one upstream is reached. */
export interface Transport {
  connect(options: ConnectionOptions): Connection;
  readonly look: Look;
  readonly readLoad: ReadLoad;
}

export function httpTransport(upstream: UpstreamConfig, clock: Clock): Transport {
  const { origin } = new URL(upstream.baseUrl);
  const clientOptions = clientOptionsFor(upstream);
  return {
    connect: (options) => new HttpConnection({ origin, clientOptions }, options),
    look: lookOverHttp({
      origin,
      path: pathAt(upstream, '/models'),
      headers: commonHeaders(upstream),
      clientOptions,
      clock,
      timeoutMs: Math.min(healthCheckTimeoutMs, upstream.requestTimeoutMs),
    }),
    readLoad: readLoadOverHttp({
      origin,
      path: '/metrics',
      headers: commonHeaders(upstream, 'text/plain'),
      clientOptions,
      clock,
      timeoutMs: Math.min(metricsTimeoutMs, upstream.requestTimeoutMs),
    }),
  };
}

/** The path of the base URL stands in place of the `/v1` that `path` is written without. */
export function pathAt(upstream: UpstreamConfig, path: `/${string}`): string {
  const { pathname, search } = new URL(upstream.baseUrl);
  return `${pathname.replace(/\/+$/, '')}${path}${search}`;
}

/** Of every request; names and values in turn. */
export function commonHeaders(
  upstream: UpstreamConfig,
  accept = 'application/json',
): readonly string[] {
  const authorization =
    upstream.apiKey === undefined ? [] : ['authorization', `Bearer ${upstream.apiKey}`];
  return [
    ...['accept', accept],
    ...['accept-encoding', 'identity'],
    ...['user-agent', 'longhaul'],
    ...authorization,
  ];
}

function clientOptionsFor(upstream: UpstreamConfig): Client.Options {
  const timeoutMs = Math.ceil(upstream.requestTimeoutMs);
  return {
    // One for all connections, so that they share TLS sessions.
    connect: buildConnector({ timeout: Math.min(connectTimeoutMsMax, timeoutMs) }),
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
}
