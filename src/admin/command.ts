/** What the commands of the operator have in common. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import { isProjectId, type ProjectId } from '../domain/ids';
import type { AddressGuard } from '../notifications/address-guard';
import type { BatchStore } from '../storage/batch-store';
import type { ProjectStore } from '../storage/project-store';
import type { WebhookStore } from '../storage/webhook-store';
import type { NotificationRunner } from '../temporal/notification-runner';

/** What a command works on. */
export interface AdminContext {
  readonly projects: ProjectStore;
  readonly batches: BatchStore;
  readonly webhooks: WebhookStore;
  readonly notifications: NotificationRunner;
  readonly addressGuard: AddressGuard;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** At least 40 hex digits from a cryptographic source, different with each call. */
  readonly randomHex: () => string;
  /** Writes a line of the result. */
  readonly print: (line: string) => void;
}

export interface AdminCommand {
  /** As one types it, with its options. */
  readonly usage: string;
  readonly summary: string;
  /** @throws {@link UsageError} */
  run(args: readonly string[], context: AdminContext): Promise<void>;
}

/** The command cannot be carried out as it was given; the message says what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** @throws {@link UsageError} for an option that there is not, or that lacks its value. */
export function parseCommand<T extends NonNullable<ParseArgsConfig['options']>>(
  args: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<{ options: T; allowPositionals: true }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message.split('\n', 1)[0]);
  }
}

/** The one argument that a command takes beside its options. */
export function onlyPositional(positionals: readonly string[], what: string): string {
  const [value, ...rest] = positionals;
  if (value === undefined || rest.length > 0) {
    throw new UsageError(`Give one ${what}.`);
  }
  return value;
}

export function parseProjectId(text: string): ProjectId {
  if (!isProjectId(text)) {
    throw new UsageError(
      `${JSON.stringify(text)} is no name of a project: lower-case letters, digits and hyphens, at most 40.`,
    );
  }
  return text;
}

/** Prints rows as aligned columns below a heading. */
export function printTable(
  { print }: Pick<AdminContext, 'print'>,
  rows: readonly (readonly string[])[],
): void {
  const columns = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  for (const row of rows) {
    print(
      row
        .map((cell, at) => cell.padEnd(columns?.[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** @param seconds Unix seconds. */
export function shownTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ');
}
