/** Projects and API keys, on the object store. */
import { createHash } from 'node:crypto';
import type { ProjectId } from '../domain/ids';
import {
  limitsOf,
  type ApiKeyRecord,
  type ProjectLimits,
  type ProjectRecord,
} from '../domain/project';
import {
  apiKeyKey,
  apiKeysPrefix,
  projectRecordKey,
  projectRecordsPrefix,
} from '../domain/object-keys';
import { changeJson, getJson, putJson } from './json-object';
import type { ObjectStore } from './object-store';
import { SharedCalls } from './shared-calls';

/** What is kept of a key. A key is 128 random bits or more, so that a fast hash is enough. */
export function hashOfKey(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}

export class ProjectStore {
  private readonly reads = new SharedCalls<ProjectId, ProjectRecord | undefined>();

  constructor(private readonly store: ObjectStore) {}

  /** The record as it is now: those who ask while it is read share the next read. */
  async get(projectId: ProjectId): Promise<ProjectRecord | undefined> {
    return await this.reads.next(
      projectId,
      async () => (await getJson<ProjectRecord>(this.store, projectRecordKey(projectId)))?.value,
    );
  }

  /** The limits that hold for a project now. */
  async limits(projectId: ProjectId, deployment: ProjectLimits): Promise<ProjectLimits> {
    return limitsOf(await this.get(projectId), deployment);
  }

  /** Changes a project's record, by compare-and-swap; `undefined` is given when there is none. */
  async update(
    projectId: ProjectId,
    change: (project: ProjectRecord | undefined) => ProjectRecord,
  ): Promise<ProjectRecord> {
    return await changeJson(this.store, projectRecordKey(projectId), change);
  }

  async list(): Promise<ProjectRecord[]> {
    return await this.readAll<ProjectRecord>(projectRecordsPrefix);
  }

  async putKey(key: ApiKeyRecord): Promise<void> {
    await putJson(this.store, apiKeyKey(key.id), key, { ifAbsent: true });
  }

  async getKey(keyId: string): Promise<ApiKeyRecord | undefined> {
    return (await getJson<ApiKeyRecord>(this.store, apiKeyKey(keyId)))?.value;
  }

  async listKeys(): Promise<ApiKeyRecord[]> {
    return await this.readAll<ApiKeyRecord>(apiKeysPrefix);
  }

  async hasKeys(): Promise<boolean> {
    return (await this.store.list(apiKeysPrefix, { limit: 1 })).items.length > 0;
  }

  /** A key that is deleted is refused from the next request on. */
  async deleteKey(keyId: string): Promise<void> {
    await this.store.delete([apiKeyKey(keyId)]);
  }

  private async readAll<T>(prefix: string): Promise<T[]> {
    const values: T[] = [];
    let after: string | undefined;
    for (;;) {
      const page = await this.store.list(prefix, { ...(after !== undefined && { after }) });
      const read = page.items.map(async ({ key }) => await getJson<T>(this.store, key));
      values.push(...(await Promise.all(read)).flatMap((stored) => stored?.value ?? []));
      after = page.items.at(-1)?.key;
      if (!page.hasMore || after === undefined) {
        return values;
      }
    }
  }
}
