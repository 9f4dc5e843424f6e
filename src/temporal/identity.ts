/** How processes of ours call themselves to Temporal. */

/** A name that operators recognise in a history, without the machine's own name in it. */
export function identityOf(role: string, pid: number): string {
  return `longhaul-${role}-${pid}`;
}
