import { once } from 'node:events';
import { connect } from 'node:net';
import type { Stack } from '../../../scripts/local/stack';

const answerMsMax = 30_000;

/** Sends bytes over one connection as they are, and reads until the server closes it. */
export async function sendRaw(stack: Pick<Stack, 'baseUrl'>, text: string): Promise<string> {
  const { hostname, port } = new URL(stack.baseUrl);
  const socket = connect(Number(port), hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.setTimeout(answerMsMax, () => socket.destroy(new Error('The server keeps silent.')));
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('utf8');
}
