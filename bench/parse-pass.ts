/**
 * What the validator is compared with: every line of a file cut out and given to `JSON.parse`, and
 * nothing else. Its one argument is a {@link ParseTask} as JSON, its one line on standard output a
 * {@link PassResult}.
 */
import { readChunks } from './read-chunks';
import { timedPass } from './timed-pass';

export interface ParseTask {
  readonly path: string;
}

const lineFeed = 0x0a;

async function main(): Promise<void> {
  const { path } = JSON.parse(process.argv[2] ?? '') as ParseTask;
  const result = await timedPass(() => Promise.resolve(parseLines(path)));
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function parseLines(path: string): number {
  let lines = 0;
  let rest = Buffer.alloc(0);
  for (const chunk of readChunks(path)) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let to = bytes.indexOf(lineFeed); to !== -1; to = bytes.indexOf(lineFeed, from)) {
      JSON.parse(bytes.toString('utf8', from, to));
      lines += 1;
      from = to + 1;
    }
    rest = Buffer.from(bytes.subarray(from));
  }
  return lines;
}

void main();
