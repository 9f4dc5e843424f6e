import { closeSync, openSync, readSync } from 'node:fs';

/** As large as what comes from the object store at a time, at most. */
const chunkBytes = 262_144;

/** The bytes of a file, from its start; each chunk is overwritten by the next. */
export function* readChunks(path: string): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes);
    for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
      yield chunk.subarray(0, bytes);
    }
  } finally {
    closeSync(file);
  }
}
