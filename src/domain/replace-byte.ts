/** In place. Searches for the first one only: a text may be nothing but them. */
export function replaceByte(bytes: Uint8Array, from: number, to: number): void {
  const first = bytes.indexOf(from);
  for (let at = first === -1 ? bytes.length : first; at < bytes.length; at++) {
    if (bytes[at] === from) {
      bytes[at] = to;
    }
  }
}
