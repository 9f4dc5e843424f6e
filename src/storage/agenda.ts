/**
 * The agenda: what has to be looked at from some time on, and by whom it was put there.
 *
 * An entry is an empty object whose key says when, whose and what; the store lists them in the order
 * of time, so finding what is due needs no index and no walk through everything. An entry is put
 * *before* what it is about exists, and taken away after that is gone: a crash in between leaves an
 * entry that finds nothing to do, never an object that nobody looks at. Looking twice does no harm.
 */
import { isProjectId, type ProjectId } from '../domain/ids';
import { agendaKey, agendaPrefix } from '../domain/object-keys';
import type { ObjectStore } from './object-store';

export interface AgendaEntry {
  readonly key: string;
  /** Unix seconds. */
  readonly dueSeconds: number;
  readonly projectId: ProjectId;
  /** The id of a file or an upload, or another name that the sweeper knows. */
  readonly subject: string;
}

/** Due at once. Not the time of the call: an entry that is put again is then the same. */
export const atOnce = 0;

export class Agenda {
  constructor(private readonly store: ObjectStore) {}

  /** @param dueSeconds Unix seconds from which on the subject is looked at. */
  async put(dueSeconds: number, projectId: ProjectId, subject: string): Promise<void> {
    await this.store.put(agendaKey(dueSeconds, projectId, subject), new Uint8Array());
  }

  /** All entries that are due, earliest first. Entries may be put and removed meanwhile. */
  async *due(nowSeconds: number): AsyncGenerator<AgendaEntry, void> {
    let after: string | undefined;
    for (;;) {
      const page = await this.store.list(agendaPrefix, { ...(after !== undefined && { after }) });
      for (const { key } of page.items) {
        const [dueText, projectId = '', ...subject] = key.slice(agendaPrefix.length).split('/');
        const dueSeconds = Number(dueText);
        if (dueSeconds > nowSeconds) {
          return;
        }
        if (isProjectId(projectId)) {
          yield { key, dueSeconds, projectId, subject: subject.join('/') };
        }
      }
      after = page.items.at(-1)?.key;
      if (!page.hasMore || after === undefined) {
        return;
      }
    }
  }

  async remove(entry: Pick<AgendaEntry, 'key'>): Promise<void> {
    await this.store.delete([entry.key]);
  }
}
