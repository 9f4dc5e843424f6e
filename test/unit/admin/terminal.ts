import { randomBytes } from 'node:crypto';
import { runAdmin } from '../../../src/admin/run-admin';
import { AddressGuard } from '../../../src/notifications/address-guard';
import { BatchStore } from '../../../src/storage/batch-store';
import { MemoryObjectStore } from '../../../src/storage/memory-object-store';
import { ProjectStore } from '../../../src/storage/project-store';
import { WebhookStore } from '../../../src/storage/webhook-store';

/** Somebody who types commands, on a store in memory. */
export class Terminal {
  readonly store = new MemoryObjectStore();
  readonly projects = new ProjectStore(this.store);
  readonly batches = new BatchStore(this.store);
  readonly webhooks = new WebhookStore(this.store);
  /** Targets that were to be told again, behind their batch. */
  readonly restarted: string[] = [];
  nowMs = Date.UTC(2026, 0, 1);

  /** What a command printed on standard output, what it said, and its exit code. */
  async run(...args: string[]): Promise<{ lines: string[]; said: string; exitCode: number }> {
    const lines: string[] = [];
    let said = '';
    const { projects, batches, webhooks } = this;
    const exitCode = await runAdmin(
      args,
      async () =>
        await Promise.resolve({
          projects,
          batches,
          webhooks,
          notifications: {
            restart: async ({ batchId }, target) => {
              await Promise.resolve(this.restarted.push(`${batchId} ${target}`));
            },
          },
          addressGuard: new AddressGuard([]),
          now: () => this.nowMs,
          randomHex: () => randomBytes(20).toString('hex'),
          print: (line) => lines.push(line),
        }),
      (text) => (said += text),
    );
    return { lines, said, exitCode };
  }
}
