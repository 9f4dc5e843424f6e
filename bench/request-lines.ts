import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { benchModel } from './bench-stack';

const question =
  'Our invoice for last month shows two seats more than we have users. ' +
  'Please explain in one sentence how a customer can find out which seats are not in use any more.';

/** About 300 bytes, like the answer. */
export const requestBody = bodyOf(question);

/** The simulated upstream never answers it. */
const hangingBody = bodyOf('[[hang]]');

export function customIdOf(ordinal: number): string {
  return `request-${String(ordinal).padStart(8, '0')}`;
}

/** `NaN` for what {@link customIdOf} does not return. */
export function ordinalOf(customId: string): number {
  return Number(/^request-(\d{8})$/.exec(customId)?.[1]);
}

export function requestLine(ordinal: number, body = requestBody): string {
  const customId = customIdOf(ordinal);
  return `{"custom_id":"${customId}","method":"POST","url":"/v1/chat/completions","body":${body}}\n`;
}

/** So many lines, the last of which keeps a batch from ending while the simulated upstream is asked. */
export function endlessLines(count: number): string {
  const answered = Array.from({ length: count - 1 }, (_, ordinal) => requestLine(ordinal));
  return [...answered, requestLine(count - 1, hangingBody)].join('');
}

/** The body with which a request line has so many bytes, or those of {@link requestBody}. */
export function requestBodyFor(lineBytes: number): string {
  const missing = Math.max(0, lineBytes - lineBytesOf(requestBody));
  return bodyOf(question + ' '.repeat(Math.min(1, missing)) + 'x'.repeat(Math.max(0, missing - 1)));
}

/** Of any line with the body: the custom IDs of a file are equally long. */
export function lineBytesOf(body: string): number {
  return Buffer.byteLength(requestLine(0, body));
}

const linesPerChunk = 1_000;

/** An input file with so many lines, piece by piece. */
export function* inputChunks(lines: number, body = requestBody): Generator<Buffer> {
  for (let from = 0; from < lines; from += linesPerChunk) {
    const length = Math.min(linesPerChunk, lines - from);
    yield Buffer.from(Array.from({ length }, (_, at) => requestLine(from + at, body)).join(''));
  }
}

/** Writes an input file with so many lines, or at least so many bytes; returns its size in bytes. */
export async function writeInputFile(
  path: string,
  size: { readonly lines: number } | { readonly bytes: number },
): Promise<number> {
  const lines = 'lines' in size ? size.lines : Math.ceil(size.bytes / lineBytesOf(requestBody));
  await pipeline(inputChunks(lines), createWriteStream(path));
  return lines * lineBytesOf(requestBody);
}

function bodyOf(content: string): string {
  return JSON.stringify({
    model: benchModel,
    messages: [{ role: 'user', content }],
    max_tokens: 64,
    temperature: 0,
  });
}
