/** Bytes that a turn of the event loop copies, give or take a piece: new memory is slow at first. */
export const copiedBytesMax = 2_097_152;

/** Copies pieces one after the other to the start of `target`; yields where the turn is to end. */
export function* copyInTurns(
  target: Uint8Array,
  pieces: readonly Uint8Array[],
): Generator<undefined, void> {
  let at = 0;
  let copied = 0;
  for (const piece of pieces) {
    target.set(piece, at);
    at += piece.length;
    copied += piece.length;
    if (copied >= copiedBytesMax) {
      copied = 0;
      yield;
    }
  }
}
