/**
 * Sends one request to a webhook.
 *
 * One connection for each request, to an address that the guard has looked at: no redirects, no
 * proxies, no cookies, no second look at the name. The answer's status counts; a little of its body
 * is read, so that a polite receiver can finish writing it, and thrown away.
 */
import { lookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { DeliveryError } from '../domain/delivery';
import { hostOf, type AddressGuard } from './address-guard';
import { isCertificateError } from './certificate-error';

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type WebhookAnswer =
  | { readonly status: number; readonly retryAfter: string | undefined }
  | { readonly error: DeliveryError };

/** The activities' view of the network. */
export interface WebhookSender {
  /** Never throws for what the receiver or the network does. */
  send(request: WebhookRequest): Promise<WebhookAnswer>;
}

/** Standard Webhooks, "Request timeouts": 15 to 30 seconds. */
const timeoutMsDefault = 20_000;
const answerBytesMax = 4_096;
const headerBytesMax = 16_384;
/** Answers with a status of 1xx before the one that counts; there is no limit of Node.js on them. */
const interimAnswersMax = 10;

interface Address {
  readonly address: string;
  readonly family: number;
}

export class HttpWebhookSender implements WebhookSender {
  /** @param timeoutMs from looking the name up to the end of the answer. */
  constructor(
    private readonly guard: AddressGuard,
    private readonly timeoutMs = timeoutMsDefault,
  ) {}

  async send(request: WebhookRequest): Promise<WebhookAnswer> {
    const { guard } = this;
    if (guard.problemOf(request.url) !== undefined) {
      return { error: 'address_refused' };
    }
    const url = new URL(request.url);
    const signal = AbortSignal.timeout(this.timeoutMs);
    try {
      const addresses = await orTimeout(resolve(hostOf(url)), signal);
      const protocol = url.protocol as 'http:' | 'https:';
      if (!addresses.every(({ address }) => guard.allows(address, protocol))) {
        return { error: 'address_refused' };
      }
      return await orTimeout(post(url, request, { addresses, signal }), signal);
    } catch (error) {
      return { error: signal.aborted ? 'timeout' : errorKind(error) };
    }
  }
}

async function resolve(host: string): Promise<readonly Address[]> {
  const family = isIP(host);
  return family === 0 ? await lookup(host, { all: true }) : [{ address: host, family }];
}

/** A name server may take longer than we wait, and a request may end without an event. */
async function orTimeout<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const timedOut = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
  return await Promise.race([work, timedOut]);
}

async function post(
  url: URL,
  { headers, body }: WebhookRequest,
  { addresses, signal }: { readonly addresses: readonly Address[]; readonly signal: AbortSignal },
): Promise<WebhookAnswer> {
  const options: RequestOptions & { readonly rejectUnauthorized: boolean } = {
    method: 'POST',
    headers: { ...headers, 'content-length': body.length },
    // A connection of its own: nothing is left open, and nothing goes through a proxy.
    agent: false,
    lookup: answering(addresses),
    maxHeaderSize: headerBytesMax,
    rejectUnauthorized: true,
    signal,
  };
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return await new Promise((resolveAnswer, reject) => {
    const request = send(url, options, (response) => {
      void discard(response).then(() => {
        resolveAnswer({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
        });
      });
    });
    request.on('error', reject);
    let interimAnswers = 0;
    request.on('information', () => {
      interimAnswers += 1;
      if (interimAnswers > interimAnswersMax) {
        request.destroy(new Error('The receiver sends interim answers without end'));
      }
    });
    // Node.js drops a connection that changes its protocol without another word.
    request.on('upgrade', ({ statusCode = 101 }, socket) => {
      socket.destroy();
      resolveAnswer({ status: statusCode, retryAfter: undefined });
    });
    request.end(body);
  });
}

/** Answers every look-up of a connection with the addresses that were looked at. */
function answering(addresses: readonly Address[]): LookupFunction {
  return (_hostname, options, callback) => {
    if (options.all === true) {
      callback(null, [...addresses]);
    } else {
      callback(null, addresses[0]?.address ?? '', addresses[0]?.family);
    }
  };
}

async function discard(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > answerBytesMax) {
        break;
      }
    }
  } catch {
    // The receiver has said its status; how it goes on does not matter.
  } finally {
    response.destroy();
  }
}

function errorKind(error: unknown): DeliveryError {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  if (syscall === 'getaddrinfo') {
    return 'name_not_resolved';
  }
  return isCertificateError(code) ? 'certificate_refused' : 'connection_failed';
}
