/** Lists the stack's bucket until nothing is left in it that nothing refers to. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { createMinioObjectStore } from '../../src/storage/minio-object-store';
import type { Stack } from '../local/stack';
import { findLeftovers } from './leftovers';
import type { Leftover } from './observation';

/** Cleaning up is retried with pauses of up to half a minute, and found by a sweep at the latest. */
const cleanUpTimeoutMs = 90_000;
const intervalMs = 500;

export class StoreWatch {
  private readonly store;
  /** Keys that a seed has been blamed for; those after it are not. */
  private readonly reported = new Set<string>();

  constructor(
    private readonly stack: Stack,
    private readonly openai: OpenAI,
  ) {
    this.store = createMinioObjectStore(stack.store);
  }

  /** What is still there when everything had time enough to go. */
  async leftovers(batchIds: ReadonlySet<string>, signal: AbortSignal): Promise<Leftover[]> {
    const deadline = Date.now() + cleanUpTimeoutMs;
    for (;;) {
      const found = await this.look(batchIds);
      if (found.length === 0 || Date.now() > deadline) {
        found.forEach(({ key }) => this.reported.add(key));
        return found;
      }
      await delay(intervalMs, undefined, { signal });
    }
  }

  /** Files that the API has, by their names. */
  async files(): Promise<ReadonlyMap<string, string>> {
    const files = new Map<string, string>();
    for await (const { id, filename } of this.openai.files.list({ limit: 10_000 })) {
      files.set(id, filename);
    }
    return files;
  }

  close(): void {
    this.store.close();
  }

  private async look(batchIds: ReadonlySet<string>): Promise<Leftover[]> {
    const files = await this.files();
    const { items } = await this.store.list('', { limit: 1_000_000 });
    const known = { batchIds, fileIds: new Set(files.keys()) };
    const keys = items.map(({ key }) => key);
    return [...findLeftovers(keys, known), ...this.unfinishedUploads()].filter(
      ({ key }) => !this.reported.has(key),
    );
  }

  /** MinIO keeps the parts of unfinished uploads in folders of its own. */
  private unfinishedUploads(): Leftover[] {
    const folder = join(this.stack.state.minioData, '.minio.sys', 'multipart');
    const names = existsSync(folder) ? readdirSync(folder, { recursive: true }) : [];
    return names
      .map(String)
      .filter((name) => name.endsWith('xl.meta'))
      .map((name) => ({ key: name, why: 'an upload in parts was not finished' }));
  }
}
