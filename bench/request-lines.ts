import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
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

export function requestLine(ordinal: number, body = requestBody): string {
  const customId = customIdOf(ordinal);
  return `{"custom_id":"${customId}","method":"POST","url":"/v1/chat/completions","body":${body}}\n`;
}

/** So many lines, the last of which keeps a batch from ending while the simulated upstream is asked. */
export function endlessLines(count: number): string {
  const answered = Array.from({ length: count - 1 }, (_, ordinal) => requestLine(ordinal));
  return [...answered, requestLine(count - 1, hangingBody)].join('');
}

const linesPerWrite = 1_000;

/** Writes an input file with so many lines, or at least so many bytes; returns its size in bytes. */
export async function writeInputFile(
  path: string,
  size: { readonly lines: number } | { readonly bytes: number },
): Promise<number> {
  const file = createWriteStream(path);
  let bytes = 0;
  let lines = 0;
  const left = (): number =>
    'lines' in size
      ? size.lines - lines
      : Math.ceil((size.bytes - bytes) / Buffer.byteLength(requestLine(0)));
  while (left() > 0) {
    const count = Math.min(linesPerWrite, left());
    const from = lines;
    const text = Array.from({ length: count }, (_, at) => requestLine(from + at)).join('');
    bytes += Buffer.byteLength(text);
    lines += count;
    if (!file.write(text)) {
      await once(file, 'drain');
    }
  }
  file.end();
  await finished(file);
  return bytes;
}

function bodyOf(content: string): string {
  return JSON.stringify({
    model: benchModel,
    messages: [{ role: 'user', content }],
    max_tokens: 64,
    temperature: 0,
  });
}
