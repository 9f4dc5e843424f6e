import { pipeline, type Readable } from 'node:stream';
import { ContentProbe } from './content-probe';

/** The content behind a probe. Both ends see each other's errors; whoever reads it throws them on. */
export function probeContent(content: Readable, bytesMax: number): ContentProbe {
  const probe = new ContentProbe(bytesMax);
  // Until somebody reads it, nobody listens, and the error would end the process.
  probe.on('error', () => undefined);
  pipeline(content, probe, () => undefined);
  return probe;
}
