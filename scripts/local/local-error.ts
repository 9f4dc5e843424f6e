/** Something the user can put right; the message is one clear sentence that says how. */
export class LocalError extends Error {
  override readonly name = 'LocalError';
}
