/** An upstream that answers as no server should, each request as its prompt says. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cannedAnswer } from './canned-answer';

/** The first word of a prompt. */
export const behaviours = {
  /** A list of empty objects, of the size below. */
  objects: '[[objects]]',
  /** A text of nothing but escaped quotes. */
  escapes: '[[escapes]]',
  /** Nothing but line breaks in a list. */
  breaks: '[[breaks]]',
  /** Byte by byte, each in a turn of the event loop. */
  trickle: '[[trickle]]',
  /** Each byte in a chunk of its own, as fast as they are taken. */
  crumbs: '[[crumbs]]',
  /** A byte now and then, without an end. */
  drip: '[[drip]]',
  never: '[[never]]',
} as const;

export const hostileBytes = 15_000_000;
const trickledBytes = 20_000;
const crumbledBytes = 100_000;
const dripMs = 20;
const headBytes = 1_024;

/** So many bytes of one pattern, give or take those of one. */
export function repeated(pattern: string): string {
  return pattern.repeat(Math.floor(hostileBytes / pattern.length));
}

export interface HostileUpstream {
  readonly port: number;
  close(): Promise<void>;
}

export async function startHostileUpstream(): Promise<HostileUpstream> {
  const server = createServer((request, response) => {
    response.socket?.setNoDelay(true);
    void answer(request, response).catch(() => response.destroy());
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let head = '';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    head += chunk.toString('latin1', 0, headBytes - head.length);
  }
  const isAsked = (behaviour: keyof typeof behaviours): boolean =>
    head.includes(behaviours[behaviour]);
  response.setHeader('content-type', 'application/json');
  if (isAsked('never')) {
    return;
  }
  if (isAsked('drip')) {
    const timer = setInterval(() => response.write(' '), dripMs);
    response.once('close', () => {
      clearInterval(timer);
    });
    return;
  }
  if (isAsked('trickle')) {
    await trickle(response);
    return;
  }
  if (isAsked('crumbs')) {
    response.flushHeaders();
    response.socket?.end(crumbs());
    return;
  }
  const large = (['objects', 'escapes', 'breaks'] as const).find(isAsked);
  response.end(large === undefined ? cannedAnswer : (largeAnswers[large] ??= makeLarge(large)));
}

async function trickle(response: ServerResponse): Promise<void> {
  const text = cannedAnswer.padEnd(trickledBytes);
  for (const byte of text) {
    response.write(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  response.end();
}

/** The chunks of a body, and its end. */
function crumbs(): string {
  const text = cannedAnswer.padEnd(crumbledBytes);
  return `${Array.from(text, (byte) => `1\r\n${byte}\r\n`).join('')}0\r\n\r\n`;
}

type Large = 'objects' | 'escapes' | 'breaks';

const largeAnswers: Partial<Record<Large, Buffer>> = {};

function makeLarge(kind: Large): Buffer {
  const choices = {
    objects: () => `[${repeated('{},')}{}]`,
    escapes: () => `"${repeated('\\"')}"`,
    breaks: () => `[${repeated('\n')}]`,
  }[kind]();
  return Buffer.from(`{"object":"chat.completion","choices":${choices}}`);
}
